"""Stock: the working set that decisions read, and `post`, the one way to change it.

A batch of commands is decided against one Stock: the levels it locked, their lots, the holds it asked for. Decisions
look first and then `post` ledger entries; `post` moves level and lot together and asserts what must always be true
(docs/reference/invariants.md). What a decision did can be undone as a whole, so a refusal leaves no trace.

What a decision needs and the Stock does not have, it asks for by raising `Missing` with everything of that kind at
once. The loader of the Stock loads that too, and the command is decided again from the start. So the core never reads.
What a decision reads with stands in `working_set`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.ledger import Entry, RefType
from holdfast.core.records.number import QUANTITY_MAX, VALUE_MAX
from holdfast.core.records.organisation import Location, Settings, Store, TaxRate
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Refused, RefusedOutright, Rejected, group_refused
from holdfast.core.records.status import assert_follows
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.records.wants import ActiveAt, AdhocAt, Missing, WaitingAt, Want
from holdfast.core.stock.caller import SYSTEM
from holdfast.core.stock.foreseen_id import corner_id
from holdfast.core.stock.gate import pass_place, pass_record
from holdfast.core.stock.touched import Touched
from holdfast.core.stock.working_set import WorkingSet

T = TypeVar("T")
R = TypeVar("R")


COMMAND_ENTRIES_MAX = 50_000
"""Most ledger entries that one command may write: it is one transaction, and others wait for it."""

COMING = ("RECEIPT", "TRANSFER")
"""What brings goods to a location that they were not at."""


TOO_MUCH = f"This would write more than {COMMAND_ENTRIES_MAX:,} ledger entries at once: do it in parts."


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why and by whom a ledger entry is written."""

    actor: str
    ref_id: str | None = None
    order_number: str | None = None
    source: str | None = None
    reason: str | None = None
    note: str | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened, as it is told outside (docs/reference/events.md)."""

    type: str
    product_id: str | None
    data: dict[str, Any]


class Money(msgspec.Struct, frozen=True, gc=False):
    """Money that a command moves: (account, amount) lines in minor units, debit positive, and in which store it did.

    `day` is an earlier day (YYYY-MM-DD) on which it was moved elsewhere; goods that move with it are booked today.
    """

    description: str
    store_id: str | None
    lines: tuple[Any, ...]
    day: str | None = None


class Stock(WorkingSet):
    """The working set of one batch, with `post` and its companions, which change it."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        super().__init__(org_id, catalog, now, new_id)
        self.caller = SYSTEM
        # What this batch writes. `holds_to_place` are holds that have begun to wait and look elsewhere, `moved`
        # those whose location or target changed, `came_in` tells when goods came to a level.
        self.holds_to_place: dict[str, None] = {}
        self.moved: set[str] = set()
        self.came_in: dict[str, int] = {}
        self.entries: list[Entry] = []
        self.entries_max = COMMAND_ENTRIES_MAX
        self.events: list[Event] = []
        self._log: list[tuple[Any, ...]] = []
        self._money: dict[tuple[str, str], Money] = {}
        self._ungated = 0

    @contextmanager
    def consequences(self) -> Iterator[None]:
        """What follows by itself from a command may be in any store: nobody asked for it."""
        self._ungated += 1
        try:
            yield
        finally:
            self._ungated -= 1

    def _pass(self, record: Any, before: Any) -> None:
        """Let the caller change the record: both as it was (None: it is new) and as it becomes it has to be theirs."""
        if self.caller.stores is not None and not self._ungated:
            if before is not None:
                pass_record(self, self.caller.stores, before)
            pass_record(self, self.caller.stores, record)

    # Writing -------------------------------------------------------------------------------------------------------

    def open_level(self, product_id: str, location_id: str) -> Level:
        """The level; an empty one is begun when the product was never there.

        The id of a quarantine level is computed. So a read can show it before it is written.
        """
        level = self.level(product_id, location_id)
        if level is None:
            aside = self.catalog.locations[location_id].kind == "quarantine"
            level_id = corner_id(product_id, location_id) if aside else self.new_id()
            level = Level(
                id=level_id,
                product_id=product_id,
                location_id=location_id,
                on_hand=0,
                reserved=0,
                backordered=0,
                seq=0,
                listed=True,
                created_at=self.now,
                updated_at=self.now,
            )
            self._log.append((self.levels, (product_id, location_id), None))
            self._log.append((self.level_of_id, level.id, None))
            self.levels[product_id, location_id] = level
            self.level_of_id[level.id] = level
            self.lots_at[level.id] = {}
            self.fresh.add(level.id)
            self.loaded.update((WaitingAt(level.id), ActiveAt(level.id), AdhocAt(level.id)))
        return level

    def post(
        self,
        cause: Cause,
        level: Level,
        lot: LotStock | None,
        ref_type: RefType,
        *,
        qty: int = 0,
        reserved: int = 0,
        backordered: int = 0,
        value: int = 0,
        hold: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Write one ledger entry and move level and lot by it. Units in smallest units, value in minor units."""
        if self.caller.stores is not None and not self._ungated:
            pass_place(self, self.caller.stores, level.location_id)
        self._log.append(
            (level, level.on_hand, level.reserved, level.backordered, level.seq, level.listed, level.updated_at)
        )
        if len(self.entries) >= self.entries_max:
            raise RefusedOutright(Code.INVALID_STATE, TOO_MUCH)
        if qty > 0 or backordered > 0:
            _check_bounds(level, lot, qty, backordered, value)
            if qty > 0 and ref_type in COMING:
                self._log.append((self.came_in, level.id, self.came_in.get(level.id)))
                self.came_in[level.id] = max(self.now, level.updated_at)
        level.on_hand += qty
        level.reserved += reserved
        level.backordered += backordered
        level.seq += 1
        level.listed = True
        level.updated_at = at = max(self.now, level.updated_at)
        if lot is not None:
            self._log.append((lot, lot.on_hand, lot.reserved, lot.value, lot.is_open, lot.origins, lot.sellable_until))
            lot.on_hand += qty
            lot.reserved += reserved
            lot.value += value
            lot.is_open = lot.on_hand > 0
            assert 0 <= lot.reserved <= lot.on_hand and lot.value >= 0, (lot, ref_type, qty, reserved)
            assert lot.on_hand or not lot.value, lot
        else:
            assert not qty and not reserved and not value, (ref_type, qty, reserved)
        assert 0 <= level.reserved <= level.on_hand and level.backordered >= 0, (level, ref_type, qty, reserved)
        self.entries.append(
            Entry(  # in order, for keywords would take four times as long
                self.new_id(),  # id
                level.id,  # level_id
                level.seq,  # seq
                level.product_id,  # product_id
                level.location_id,  # location_id
                None if lot is None else lot.lot_id,  # lot_id
                ref_type,
                cause.ref_id,  # ref_id
                qty,  # qty_delta
                level.on_hand,  # balance_after
                reserved,  # reserved_delta
                level.reserved,  # reserved_after
                backordered,  # backordered_delta
                level.backordered,  # backordered_after
                value,  # value_delta
                cause.order_number,  # order_number
                cause.source,  # source
                hold,  # reservation_id
                cause.actor,  # actor
                reason or cause.reason,  # reason
                cause.note,  # note
                at,  # created_at
            )
        )

    def unlist(self, level: Level) -> None:
        """Take an empty level off the lists; its ledger stays and goes on when stock comes again."""
        self._log.append(
            (level, level.on_hand, level.reserved, level.backordered, level.seq, level.listed, level.updated_at)
        )
        level.listed = False

    def put_hold(self, reservation: Reservation) -> None:
        """Set a reservation as it now stands."""
        if reservation.id not in self.reservations:
            self.new_ids.add(reservation.id)
        before = self.reservations.get(reservation.id)
        assert_follows(reservation, before)
        if reservation.roams:
            self._begins_to_wait(reservation, before)
        self._log.append((self.reservations, reservation.id, before))
        self.reservations[reservation.id] = reservation
        self._index.add(reservation)

    def _begins_to_wait(self, hold: Reservation, before: Reservation | None) -> None:
        """Remember a hold that waits and may be served elsewhere.

        It looks elsewhere in these cases: it is new; more of it waits; its places or its sale line are others; or it is
        a direct hold, and fewer units are open.
        """
        self.remember_roaming(hold)
        if (
            before is None
            or hold.backordered > before.backordered
            or (hold.served_from, hold.sale_line_id) != (before.served_from, before.sale_line_id)
            or (hold.sale_line_id is None and hold.open < before.open)
        ):
            self.holds_to_place[hold.id] = None

    def put_lot(self, lot: Lot) -> None:
        """Set a lot's identity."""
        if lot.id not in self.lots:
            self.new_ids.add(lot.id)
            if lot.code is not None:
                self._new_lots_of_code.setdefault((lot.product_id, lot.code), {})[lot.id] = None
        before = self.lots.get(lot.id)
        assert_follows(lot, before)
        self._log.append((self.lots, lot.id, before))
        self.lots[lot.id] = lot

    def put_lot_stock(self, at: LotStock) -> None:
        """Begin a lot at a level."""
        here = self.lots_at[at.level_id]
        assert at.lot_id not in here, at
        self._log.append((here, at.lot_id, None))
        here[at.lot_id] = at
        self.fresh.add(at.level_id + at.lot_id)
        self._levels_of_lot.setdefault(at.lot_id, {})[at.level_id] = None

    def set_origins(self, at: LotStock, origins: tuple[tuple[str, int], ...]) -> None:
        """Remember from where the units of a quarantined lot came."""
        self._log.append((at, at.on_hand, at.reserved, at.value, at.is_open, at.origins, at.sellable_until))
        at.origins = origins

    def set_sellable_until(self, at: LotStock, until: int | None) -> None:
        """Set the instant at which the lot's expiry takes it off sale there."""
        self._log.append((at, at.on_hand, at.reserved, at.value, at.is_open, at.origins, at.sellable_until))
        at.sellable_until = until

    def put_record(self, kind: str, key: str, record: Any) -> None:
        """Set a document as it now stands; `key` is its id."""
        before = self.records.get((kind, key))
        assert_follows(record, before)
        self._pass(record, before)
        self._log.append((self.records, (kind, key), before))
        self.records[kind, key] = record
        self._of_kind.setdefault(kind, {})[key] = None

    def put_row(self, row: Any) -> None:
        """Set a row of sales or books as it now stands."""
        rows = self.rows.setdefault(type(row), {})
        key = row.id
        before = rows.get(key)
        assert_follows(row, before)
        self._pass(row, before)
        if before is None:
            self.new_ids.add(key)
            self._remember_row(row)
        self._log.append((rows, key, before))
        rows[key] = row

    def put_money(self, ref_type: str, ref_id: str, money: Money) -> None:
        """Money that the command under way moves, by what it refers to; moved twice, it adds up."""
        known = self._money.get((ref_type, ref_id))
        self._log.append((self._money, (ref_type, ref_id), known))
        if known is not None:
            money = msgspec.structs.replace(money, lines=known.lines + money.lines)
        self._money[ref_type, ref_id] = money

    def date_money(self, ref_type: str, ref_id: str, day: str) -> None:
        """The money of a reference, if the command under way moves any, was moved on an earlier day."""
        known = self._money.get((ref_type, ref_id))
        if known is not None:
            self._log.append((self._money, (ref_type, ref_id), known))
            self._money[ref_type, ref_id] = msgspec.structs.replace(known, day=day)

    def take_money(self) -> dict[tuple[str, str], Money]:
        """The money of the command under way, taken to be booked."""
        taken = dict(self._money)
        self._money.clear()
        return taken

    def put_in_catalog(self, record: Settings | Product | Store | Location | TaxRate) -> None:
        """Let the rest of the batch see a record as it now stands (the batch has a catalog of its own for that)."""
        catalog = self.catalog
        known: dict[str, Any]
        for known in (
            catalog.products,
            catalog.locations,
            catalog.location_of_code,
            catalog.stores,
            catalog.tax_rates,
        ):
            for key in (record.id, getattr(record, "sku", None), getattr(record, "code", None)):
                if key is not None:
                    self._log.append((known, key, known.get(key)))
        self._log.append((catalog.__dict__, "settings", catalog.settings))
        self._log.append((catalog.__dict__, "known_sellable_places", catalog.known_sellable_places))
        if isinstance(record, Product):
            catalog.put_product(record)
        elif isinstance(record, Location):
            catalog.put_location(record)
        elif isinstance(record, Store):
            catalog.put_store(record)
        elif isinstance(record, TaxRate):
            catalog.put_tax_rate(record)
        else:
            catalog.settings = record

    def put_cost(self, product_id: str, unit_cost: int) -> None:
        """Remember the product's last receipt cost, in 10**-6 major units."""
        self._log.append((self.costs, product_id, self.costs.get(product_id)))
        self.costs[product_id] = unit_cost

    def tell(self, event_type: str, product_id: str | None, data: dict[str, Any]) -> None:
        """Append an event to this batch's; one that names a location names the store it was in (`Location.told_to`)."""
        assert "store_id" in data or "location" not in data, (event_type, data)
        self.events.append(Event(event_type, product_id, data))

    # Undoing -------------------------------------------------------------------------------------------------------

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
        for index, item in enumerate(items):
            mark = self.mark()
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
        for item in self._log:
            first = item[0]
            if type(first) is Level:
                result.levels[first.id] = first
            elif first is self.levels:
                result.levels[first[item[1]].id] = first[item[1]]
            elif type(first) is LotStock:
                result.lot_stocks[first.level_id + first.lot_id] = first
            elif first is self.reservations:
                result.reservations[item[1]] = first[item[1]]
            elif first is self.lots:
                result.lots[item[1]] = first[item[1]]
            elif first is self.records:
                result.records[item[1]] = first[item[1]]
            elif first is self.costs:
                result.costs[item[1]] = first[item[1]]
            elif type(first) is dict and (row := first.get(item[1])) is not None and type(row) in self.rows:
                result.rows.setdefault(type(row), {})[item[1]] = row
        return result


def _check_bounds(level: Level, lot: LotStock | None, qty: int, backordered: int, value: int) -> None:
    if level.on_hand + qty > QUANTITY_MAX or level.backordered + backordered > QUANTITY_MAX:
        raise RefusedOutright(Code.INVALID_QUANTITY, "The balance would be larger than 10^12 of the smallest unit.")
    if lot is not None and lot.value + value > VALUE_MAX:
        raise value_exceeded()


def value_exceeded() -> RefusedOutright:
    """An amount of money would leave the bounds (`core.records.number`)."""
    return RefusedOutright(Code.INVALID_AMOUNT, "The value is larger than can be kept.")
