"""Stock from a CSV file: received as opening stock, or set or counted as what is there.

    import_stock(shop, actor, file)                        every line is a receipt of kind `opening`, once
    import_stock(shop, actor, file, mode=StockMode.SET)    every level has what its line says, by an adjustment
    import_stock(shop, actor, file, mode=StockMode.COUNT)  the same by counts, a document for each location

A line is known by what it means (product, location, units, cost, lot code, expiry), not by its characters, and what was
taken is read in the books: so a file may be mended, saved again by a spreadsheet and imported as a whole, also years
later. Of two equal lines in a file both are taken. Where the books have opening stock of a product, location and lot
code that the file does not have, nobody can tell whether the file adds to it or corrects it: such a line is named and
not taken, unless `again`. A file of `export stock` says what is there: its lines are received only where the product
has never been.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, TextIO

import msgspec

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.records.learned_type import learned
from holdfast.core.records.rejection import Rejected
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.count_sheet import Count, CountDocument, CountLine
from holdfast.db.bulk import Balance, balances, products_named
from holdfast.db.organisations import organisations
from holdfast.db.stock_lines import KeptLine, Meaning, StockLines, opening_taken_back
from holdfast.import_export.dry_run import copy_of
from holdfast.import_export.layout import Layout, answer_to, missing_of, nearest
from holdfast.import_export.places import locations_of, stores_of
from holdfast.import_export.rows import Describe, Rows
from holdfast.import_export.shopify_stock import SHOPIFY_STOCK, is_shopify_stock, places_by_name, shopify_stock
from holdfast.import_export.stock_line import (
    EXPORTED_COLUMNS,
    NUMBERS,
    STOCK_COLUMNS,
    StockLine,
    is_export,
    priced_request,
    receipt,
    stock_line,
    understood,
)
from holdfast.import_export.stock_rows import counted_rows, received_row, set_row, subject_of
from holdfast.import_export.table import (
    WAITING_MAX,
    BadLine,
    FileRefused,
    Line,
    Outcome,
    Progress,
    Table,
    read_table,
    require_columns,
)


class StockMode(StrEnum):
    """What a file of stock says: what came in, what is there, or what was counted."""

    OPENING = "opening"
    SET = "set"
    COUNT = "count"


def import_stock(
    shop: Holdfast,
    actor: Actor,
    file: TextIO,
    *,
    mode: StockMode = StockMode.OPENING,
    reference: str | None = None,
    dry_run: bool = False,
    again: bool = False,
    progress: Progress = lambda _: None,
    rows: Rows | None = None,
) -> Outcome:
    """Take the lines of a file, each for itself; `again` takes opening stock that the books have once more.

    With `dry_run` all of it happens to a copy of the organisation, which needs room for that in the temporary folder.
    """
    if dry_run:
        with copy_of(shop, actor.org_id) as copy:
            return import_stock(
                copy, actor, file, mode=mode, reference=reference, again=again, progress=progress, rows=rows
            )
    table = read_table(file, NUMBERS)
    shopify = is_shopify_stock(table.columns)
    if not shopify:
        _refuse_foreign(table)
    taking = _Taking(shop, actor, mode, reference, exported=shopify or is_export(table), again=again, rows=rows)
    read = shopify_stock(table, taking.places()) if shopify else table.lines
    with StockLines() as lines:
        if mode is StockMode.OPENING and not again:
            lines.learn(shop.database, actor.org_id, taking.minor_digits)
        taking.keep(read, lines)
        for part in lines.read(taking.rows.piece):
            taking.take([(line, _decode(line.payload)) for line in part])
            progress(len(part))
    return taking.outcome


OWN = Layout(
    "holdfast",
    "Holdfast's own format",
    "",
    {name: (name,) for name in STOCK_COLUMNS + EXPORTED_COLUMNS},
    marks=("sku", "location", "quantity"),
    needed=("sku", "location", "quantity"),
)
HINT = (
    "Shopify's export of inventory and `holdfast export stock` are read as well; docs/how-to/import.md has the columns."
)


def _refuse_foreign(table: Table) -> None:
    """Refuse a header that is not ours, and say which comes nearest."""
    missing = missing_of(OWN, table.columns)
    if missing:
        layout = nearest((OWN, SHOPIFY_STOCK), table.columns)
        words = answer_to(layout, table.columns, missing_of(layout, table.columns), HINT, sure=False)
        raise FileRefused(words)
    require_columns(table, STOCK_COLUMNS + EXPORTED_COLUMNS, OWN.needed)


_decode = msgspec.msgpack.Decoder(learned(StockLine)).decode


class _Taking:
    """A file's lines on their way: what is sent of them, what was answered."""

    def __init__(
        self,
        shop: Holdfast,
        actor: Actor,
        mode: StockMode,
        reference: str | None,
        *,
        exported: bool,
        again: bool,
        rows: Rows | None,
    ) -> None:
        self.shop = shop
        self.actor = actor
        self.mode = mode
        self.reference = reference
        self.exported = exported
        self.again = again
        self.rows = rows or Rows()
        self.outcome = Outcome().told_to(self.rows)
        self.minor_digits = next(
            row.minor_digits for row in organisations(shop.database, actor.org_id) if row.id == actor.org_id
        )
        self._locations = locations_of(shop, actor)
        self._taken_back = opening_taken_back(shop.database, actor.org_id)

    def places(self) -> dict[str, str]:
        """Codes of locations by what another system may call them."""
        return places_by_name(self._locations, stores_of(self.shop, self.actor))

    def keep(self, lines: Iterator[Line], kept: StockLines) -> None:
        """Read all lines, and keep those that can be understood with their meaning; the others are named."""
        while part := list(islice(lines, WAITING_MAX)):
            read: list[tuple[int, StockLine]] = []
            for line in part:
                try:
                    said = stock_line(line.cells, self.minor_digits)
                    self._test(said)
                except BadLine as bad:
                    self.outcome.refuse_bad(line.number, bad)
                    continue
                read.append((line.number, said))
            products = products_named(self.shop.database, self.actor.org_id, (said.sku for _, said in read))
            rows: list[tuple[int, bytes, Meaning | None]] = []
            for number, said in read:
                said = understood(said, products, self._locations)
                meaning = priced_request(said, products, self.minor_digits)
                rows.append((number, msgspec.msgpack.encode(said), meaning))
            kept.add(rows)

    def _test(self, line: StockLine) -> None:
        if self.mode is StockMode.OPENING:
            return
        for name in ("lot_code", "expires_at", "expires_on", "unit_cost"):
            if getattr(line, name) is not None:
                raise BadLine(
                    f"{name.replace('_on', '_at')} is said of what comes in: "
                    f"--{self.mode} takes a product at a location as a whole.",
                    name.replace("_on", "_at"),
                )

    def take(self, part: list[tuple[KeptLine, StockLine]]) -> None:
        """Send lines and wait for their answers."""
        pairs = [line.place for _, line in part if line.place is not None]
        there = balances(self.shop.database, self.actor.org_id, pairs)
        part = [
            (kept, line)
            for kept, line in part
            if not self._is_doubled(kept) and not self.rows.is_done(kept.number, subject_of(line))
        ]
        if self.mode is StockMode.OPENING:
            self._receive(part, there)
        elif self.mode is StockMode.SET:
            self._set(part, there)
        else:
            self._count(part)

    def _is_doubled(self, kept: KeptLine) -> bool:
        """Refuse a second line about a level where a line says what is there; lines of what came in add up."""
        if kept.place_line == kept.number or (self.mode is StockMode.OPENING and not self.exported):
            return False
        self.outcome.refuse(kept.number, f"Line {kept.place_line} is about the same product and location already.")
        return True

    # Opening stock ---------------------------------------------------------------------------------------------------

    def _receive(self, part: list[tuple[KeptLine, StockLine]], there: dict[tuple[str, str], Balance]) -> None:
        waiting: list[tuple[KeptLine, StockLine, Future[Any]]] = []
        for kept, line in part:
            if not line.quantity or (
                kept.identity is not None and not self.again and self._is_taken(kept, line, there)
            ):
                self.outcome.skip(kept.number, subject_of(line))
                continue
            said = hashlib.sha256((kept.identity or "").encode()).hexdigest()
            named: dict[str, Any] = {"key": self._key(said, kept.which), "fingerprint": said}
            if self.again or kept.identity is None:
                named = self.rows.key(kept.number, subject_of(line))
            render = self.rows.render(partial(received_row, kept.number, line)) or (lambda _: b"{}")
            future = self.shop.submit(self.actor, receipt(line, self.reference), render=render, **named)
            waiting.append((kept, line, future))
        for kept, line, future in waiting:
            reply = future.result()
            if isinstance(reply.answer, Rejected):
                self.outcome.refuse_rejected(kept.number, reply.answer, subject=subject_of(line))
            elif reply.replayed:
                self.outcome.skip(kept.number, subject_of(line))
            else:
                self.rows.answered(reply, partial(received_row, kept.number, line))
                self.outcome.added += 1

    def _key(self, said: str, which: int) -> str:
        """The key of a line, by what it means: another one when opening stock was taken back, for it may come again."""
        key = f"import-stock:{said}:{which}"
        return f"{key}:{self._taken_back}" if self._taken_back else key

    def _is_taken(self, kept: KeptLine, line: StockLine, there: dict[tuple[str, str], Balance]) -> bool:
        """Do the books have the line, or something instead of it? The second is named."""
        assert line.place is not None
        balance = there.get(line.place)
        if self.exported and balance is not None and balance.begun:
            if balance.on_hand != line.units:
                self._note(kept, f"{line.sku} has been at {line.location} already: --set makes it what the file says.")
            return True
        if not kept.taken and kept.differs is not None:
            lot = "" if line.lot_code is None else f", lot {line.lot_code},"
            self._note(
                kept,
                f"not taken: {line.sku} at {line.location}{lot} has other opening stock already ({kept.differs}). "
                "--again takes the line on top of it.",
            )
        return kept.taken or kept.differs is not None

    # What is there ---------------------------------------------------------------------------------------------------

    def _set(self, part: list[tuple[KeptLine, StockLine]], there: dict[tuple[str, str], Balance]) -> None:
        waiting: list[tuple[KeptLine, StockLine, Describe, Future[Any]]] = []
        for kept, line in part:
            present = None if line.place is None else there.get(line.place, Balance(0, begun=False)).on_hand
            if line.units is not None and present == line.units:
                self.outcome.skip(kept.number, subject_of(line))
                continue
            command = SetStock(line.sku, line.location, line.number, reason=self.reference)
            describe: Describe = partial(set_row, kept.number, line, present)
            named: dict[str, Any] = self.rows.key(kept.number, subject_of(line))
            future = self.shop.submit(self.actor, command, render=self.rows.render(describe), **named)
            waiting.append((kept, line, describe, future))
        for kept, line, describe, future in waiting:
            self._answered([(kept, line)], describe, future.result())

    def _count(self, part: list[tuple[KeptLine, StockLine]]) -> None:
        """One count for each location; of one that is refused each line stands for itself."""
        groups: dict[str, list[tuple[KeptLine, StockLine]]] = {}
        for kept, line in part:
            named = line.location_id if line.place is not None else f"line {kept.number}"
            groups.setdefault(str(named), []).append((kept, line))
        sent = [(group, self._send_count(group)) for group in groups.values()]
        alone: list[tuple[KeptLine, StockLine]] = []
        for group, future in sent:
            reply = future.result()
            if isinstance(reply.answer, Rejected) and len(group) > 1:
                alone.extend(group)
            else:
                self._answered(group, _counted_rows(group), reply)
        waiting = [(pair, self._send_count([pair])) for pair in alone]
        for pair, future in waiting:
            self._answered([pair], _counted_rows([pair]), future.result())

    def _send_count(self, group: list[tuple[KeptLine, StockLine]]) -> Future[Any]:
        counted = " ".join(f"{kept.number} {subject_of(line)}" for kept, line in group)
        named: dict[str, Any] = self.rows.key(group[0][0].number, counted)
        return self.shop.submit(self.actor, _counted(group), render=self.rows.render(_counted_rows(group)), **named)

    def _answered(self, group: list[tuple[KeptLine, StockLine]], describe: Describe, reply: Any) -> None:
        answer = reply.answer
        if isinstance(answer, Rejected):
            self.outcome.refuse_rejected(group[0][0].number, answer, subject=subject_of(group[0][1]))
            return
        self.rows.answered(reply, describe)
        same = sum(not line.difference for line in answer.lines) if isinstance(answer, CountDocument) else 0
        self.outcome.skipped += same
        self.outcome.changed += len(group) - same

    def _note(self, kept: KeptLine, words: str) -> None:
        self.outcome.note(kept.number, words)


def _counted_rows(group: list[tuple[KeptLine, StockLine]]) -> Describe:
    return partial(counted_rows, [(kept.number, line) for kept, line in group])


def _counted(group: list[tuple[KeptLine, StockLine]]) -> Count:
    return Count(group[0][1].location, tuple(CountLine(line.sku, line.number) for _, line in group))
