"""Undo: what a batch has written, in a log by which a decision can be taken back as a whole.

    mark = stock.mark()
    ...                        the decision posts
    stock.undo(mark)           it is refused: everything stands as it stood at the mark
    stock.touched()            what is left to be saved

Every write puts what was there before into the log: levels, lots, holds, rows, money, catalogue, entries and events are
taken back. So a command that has to ask for more is decided again from the start. What was only noted stays: `fresh`,
`new_ids`, `loaded` (of a level that was begun), `moved`, `roaming_products` and the indexes. It is harmless, because it
is looked at only for ids that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.ledger import Entry
from holdfast.core.records.rejection import Refused, RefusedOutright, Rejected, group_refused
from holdfast.core.records.stock import Level, LotStock, Reservation
from holdfast.core.records.wants import Missing, Want
from holdfast.core.stock.touched import Touched
from holdfast.core.stock.working_set import WorkingSet

T = TypeVar("T")
R = TypeVar("R")


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened, as it is told outside (docs/reference/events.md)."""

    type: str
    product_id: str | None
    data: dict[str, Any]


class UndoableSet(WorkingSet):
    """A working set whose changes can be taken back, newest first."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        super().__init__(org_id, catalog, now, new_id)
        self.entries: list[Entry] = []
        self.events: list[Event] = []
        self._log: list[tuple[Any, ...]] = []

    def each(self, items: Iterable[T], step: Callable[[int, T], R]) -> list[R]:
        """`step(index, item)` for every item; when some ask for more, all that they ask for is asked at once.

        Without it, a group of n would be decided n times over, each time one want further. Of several refusals the
        first is told.
        """
        results, refused = self._tried(items, step)
        if refused:
            raise Refused.of(refused[0][1])
        return results

    def each_line(self, lines: Iterable[T], step: Callable[[int, T], R]) -> list[R]:
        """`step(index, line)` as `each` does it; a refusal names every line that was refused."""
        results, refused = self._tried(lines, step)
        if refused:
            raise group_refused(refused)
        return results

    def _tried(self, items: Iterable[T], step: Callable[[int, T], R]) -> tuple[list[R], list[tuple[int, Rejected]]]:
        """What the steps return, and (index, refusal) of those that refuse: what they posted stays until all is undone.

        They are looked at until the last: what one of them asks for comes before what another refuses.
        """
        wants: set[Want] = set()
        results: list[R] = []
        refused: list[tuple[int, Rejected]] = []
        log, entries, events = self._log, self.entries, self.events
        for index, item in enumerate(items):
            mark = len(log), len(entries), len(events)  # as `mark`, for every line of every sale
            try:
                results.append(step(index, item))
            except Missing as missing:
                self.undo(mark)
                wants |= missing.wants
            except RefusedOutright:
                raise
            except Refused as no:
                refused.append((index, no.rejected))
        if wants:
            raise Missing(wants)
        return results, refused

    def mark(self) -> tuple[int, int, int]:
        """A point to which `undo` can return."""
        return len(self._log), len(self.entries), len(self.events)

    def undo(self, mark: tuple[int, int, int]) -> None:
        """Take back everything since `mark`, newest first."""
        log_length, entries, events = mark
        log = self._log
        while len(log) > log_length:
            item = log.pop()
            touched = item[0]
            if type(touched) is Level:
                (
                    _,
                    touched.on_hand,
                    touched.reserved,
                    touched.backordered,
                    touched.seq,
                    touched.listed,
                    touched.updated_at,
                ) = item
            elif type(touched) is LotStock:
                (
                    _,
                    touched.on_hand,
                    touched.reserved,
                    touched.value,
                    touched.is_open,
                    touched.origins,
                    touched.sellable_until,
                ) = item
            elif item[2] is None:
                touched.pop(item[1], None)
            else:
                touched[item[1]] = item[2]
        del self.entries[entries:]
        del self.events[events:]

    def new_holds(self, since: tuple[int, int, int]) -> dict[str, Reservation]:
        """Holds made since a mark, as they stand now."""
        holds = self.reservations
        return {
            item[1]: holds[item[1]] for item in self._log[since[0] :] if item[0] is holds and item[1] in self.new_ids
        }

    def new_rows(self, since: tuple[int, int, int]) -> dict[type[Any], dict[str, Any]]:
        """Rows of sales and books made since a mark, as they stand now, by kind and id."""
        made: dict[type[Any], dict[str, Any]] = {}
        for item in self._log[since[0] :]:
            first = item[0]
            if type(first) is dict and item[1] in self.new_ids:
                row = first.get(item[1])
                if row is not None and first is self.rows.get(type(row)):
                    made.setdefault(type(row), {})[item[1]] = row
        return made

    def touched(self) -> Touched:
        """What this batch changed, each thing once, as it stands now."""
        result = Touched()
        levels, lot_stocks = result.levels, result.lot_stocks
        known: dict[int, dict[Any, Any]] = {
            id(self.reservations): result.reservations,
            id(self.lots): result.lots,
            id(self.records): result.records,
            id(self.costs): result.costs,
        }
        tables = {id(rows): kind for kind, rows in self.rows.items()}
        for item in self._log:
            first = item[0]
            kind = type(first)
            if kind is Level:
                levels[first.id] = first
            elif kind is LotStock:
                lot_stocks[first.level_id + first.lot_id] = first
            elif (kept := known.get(id(first))) is not None:
                kept[item[1]] = first[item[1]]
            elif (table := tables.get(id(first))) is not None:
                if (row := first.get(item[1])) is not None:
                    result.rows.setdefault(table, {})[item[1]] = row
            elif first is self.levels:
                levels[first[item[1]].id] = first[item[1]]
        return result
