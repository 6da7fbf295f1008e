"""Counts: many levels made equal to what somebody saw, at once or as a sheet that is filled in first.

    Count at MAIN: MUG-1 7, TEE-S 12                   -> posted: both levels are what was counted
    draft, write 7, sell 1 MUG-1, post                 -> 7 counted before the sale means 6 now
    draft, sell 1 MUG-1, write 6, post                 -> 6 counted after the sale means 6
    draft, write 7, somebody sets MUG-1 to 7, post     -> 7 counted means 7: a correction is no move

A line remembers the balance at the moment when its number is written (written again: anew); what moves after that is
added when the sheet is posted. Lines name a product (all its lots together) or a product and one of its lots. A second
open sheet on a level is refused, and so is a result below zero, a line without a number (unless it is said that those
are skipped), and everything but cancelling at a location that was removed.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.number import Number
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    invalid_quantity,
    invalid_state,
    not_found,
    not_stock_tracked,
)
from holdfast.core.records.status import CANCELLED, COUNT_SHEET, DRAFT, POSTED, QUARANTINED, Transitions
from holdfast.core.records.stock import Level, LotStock
from holdfast.core.records.time import instant_text
from holdfast.core.stock.allocation import ask_for_named_lots, lot_exists, lot_of_id
from holdfast.core.stock.lots import lot_at
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.reliance import keep, refuse_gone
from holdfast.core.stock.settling import set_aside
from holdfast.core.stock.store_access import refuse_foreign_store
from holdfast.core.warehouse.adjustment import correct_open_sheets, make_equal, open_sheets, product_at

replace = msgspec.structs.replace


class CountLine(msgspec.Struct, frozen=True, gc=False):
    """A product, or one of its lots, and what was counted of it (None: not counted yet, on a sheet)."""

    product: str
    counted: Number | None = None
    lot_id: str | None = None


class Count(Command, frozen=True, gc=False):
    """Count at a location: posted at once, or opened as a sheet (`draft`)."""

    location: str
    lines: tuple[CountLine, ...]
    draft: bool = False


class FillSheet(Command, frozen=True, gc=False):
    """Write counted numbers on an open sheet (None: the line waits for one); lines that it does not have are added."""

    sheet_id: str
    lines: tuple[CountLine, ...]


class RemoveSheetLine(Command, frozen=True, gc=False):
    """Take a line off an open sheet."""

    sheet_id: str
    line_id: str


class CloseSheet(Command, frozen=True, gc=False):
    """Post an open sheet (`post`), or cancel it. Lines without a number refuse the post, or are skipped by it."""

    sheet_id: str
    post: bool
    uncounted: Literal["refuse", "skip"] = "refuse"


class SheetLine(msgspec.Struct, frozen=True, gc=False):
    """A line of a sheet in smallest units: what was counted, when, and what the books said at that moment.

    While the line waits for its number, `before` is what the books said when it was put on the sheet. `precision` is
    the product's at that moment. A number without an instant was written by an older version, which remembered the
    balance when the sheet was opened.
    """

    product_id: str
    lot_id: str | None
    before: int
    counted: int | None
    difference: int | None = None
    shorted: tuple[str, ...] = ()
    counted_at: int | None = None
    precision: int | None = None

    @property
    def id(self) -> str:
        """The line's name on its sheet: its lot, or its product where all lots are counted together."""
        return self.lot_id or self.product_id


class CountSheet(msgspec.Struct, frozen=True, gc=False):
    """The record of a count; `status` is draft, posted or cancelled."""

    transitions: ClassVar[Transitions] = COUNT_SHEET

    id: str
    location_id: str
    status: str
    lines: tuple[SheetLine, ...]
    actor: str
    created_at: int
    updated_at: int


class CountLineDocument(msgspec.Struct, frozen=True, gc=False):
    """A line of a count as the API shows it; `before` is what the books said when the number was written."""

    id: str
    product_id: str
    sku: str
    lot_id: str | None
    before: int | float
    counted: int | float | None
    counted_at: str | None
    difference: int | float | None
    shorted: list[str]


class CountDocument(msgspec.Struct, frozen=True, gc=False):
    """A count as the API shows it; `skipped` are the lines (ids) that were not counted when it was posted."""

    id: str
    status: str
    location: str
    lines: list[CountLineDocument]
    skipped: list[str]
    created_at: str
    updated_at: str


def count(stock: Stock, command: Count) -> CountDocument:
    """Decide a Count: all lines, or none."""
    place = stock.catalog.location(command.location)
    if place is None:
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", command.location)
    refuse_foreign_store(stock, place)
    lines = _sheet_lines(stock, place, (), command.lines, draft=command.draft)
    sheet = CountSheet(
        id=stock.new_id(),
        location_id=place.id,
        status=DRAFT,
        lines=lines,
        actor=stock.caller.actor,
        created_at=stock.now,
        updated_at=stock.now,
    )
    if command.draft:
        keep(stock, place)
        _refuse_second_sheet(stock, sheet)
        stock.put_record("count_sheet", sheet.id, sheet)
        return describe_sheet(stock, sheet)
    return _post(stock, sheet)


def fill_sheet(stock: Stock, command: FillSheet) -> CountDocument:
    """Decide a FillSheet: all lines, or none."""
    sheet = _draft(stock, command.sheet_id)
    place = stock.catalog.locations[sheet.location_id]
    refuse_gone(place)
    lines = _sheet_lines(stock, place, sheet.lines, command.lines, draft=True)
    return _changed(stock, replace(sheet, lines=lines))


def remove_line(stock: Stock, command: RemoveSheetLine) -> CountDocument:
    """Decide a RemoveSheetLine."""
    sheet = _draft(stock, command.sheet_id)
    lines = tuple(line for line in sheet.lines if line.id != command.line_id)
    if len(lines) == len(sheet.lines):
        raise not_found(Code.NOT_FOUND, "Line", command.line_id)
    return _changed(stock, replace(sheet, lines=lines))


def _changed(stock: Stock, sheet: CountSheet) -> CountDocument:
    """Set an open sheet as it now stands, unless another one has a line of it."""
    _refuse_second_sheet(stock, sheet)
    sheet = replace(sheet, updated_at=stock.now)
    stock.put_record("count_sheet", sheet.id, sheet)
    return describe_sheet(stock, sheet)


def close_sheet(stock: Stock, command: CloseSheet) -> CountDocument:
    """Decide a CloseSheet."""
    sheet = _draft(stock, command.sheet_id)
    if command.post:
        refuse_gone(stock.catalog.locations[sheet.location_id])
        return _post(stock, sheet, skip=command.uncounted == "skip")
    sheet = replace(sheet, status=CANCELLED, updated_at=stock.now)
    stock.put_record("count_sheet", sheet.id, sheet)
    return describe_sheet(stock, sheet)


def describe_sheet(stock: Stock, sheet: CountSheet) -> CountDocument:
    """The public shape of a count."""
    products: dict[str, Product] = {}
    stock.catalog.know_products(line.product_id for line in sheet.lines)
    for line in sheet.lines:
        product = stock.catalog.product(line.product_id)
        assert product is not None
        products[line.product_id] = product
    return count_document(sheet, products, stock.catalog.locations[sheet.location_id])


def count_document(sheet: CountSheet, products: dict[str, Product], place: Location) -> CountDocument:
    """The public shape of a count from its parts; `products` by id."""
    skipped = [line.id for line in sheet.lines if line.counted is None and sheet.status == POSTED]
    return CountDocument(
        id=sheet.id,
        status=sheet.status,
        location=place.code,
        lines=[_line_document(line, products[line.product_id]) for line in sheet.lines],
        skipped=skipped,
        created_at=instant_text(sheet.created_at),
        updated_at=instant_text(sheet.updated_at),
    )


def _line_document(line: SheetLine, product: Product) -> CountLineDocument:
    product = product if line.precision is None else replace(product, precision=line.precision)
    return CountLineDocument(
        id=line.id,
        product_id=product.id,
        sku=product.sku,
        lot_id=line.lot_id,
        before=product.number(line.before),
        counted=None if line.counted is None else product.number(line.counted),
        counted_at=None if line.counted_at is None else instant_text(line.counted_at),
        difference=None if line.difference is None else product.number(line.difference),
        shorted=list(line.shorted),
    )


def _draft(stock: Stock, sheet_id: str) -> CountSheet:
    sheet: CountSheet | None = stock.record("count_sheet", sheet_id)
    if sheet is None:
        raise not_found(Code.NOT_FOUND, "Count", sheet_id)
    refuse_foreign_store(stock, stock.catalog.locations[sheet.location_id])
    if sheet.status != DRAFT:
        raise invalid_state(f"The count is {sheet.status}.")
    return sheet


def _sheet_lines(
    stock: Stock, place: Location, old: tuple[SheetLine, ...], lines: tuple[CountLine, ...], *, draft: bool
) -> tuple[SheetLine, ...]:
    """The sheet's lines with `lines` written on them; each remembers the balance as it is now."""
    known = {line.id: line for line in old}
    written: set[str] = set()
    _ask_for_lines(stock, place, lines)
    for counted in lines:
        line = _written_line(stock, place, counted, written, draft=draft)
        written.add(line.id)
        known[line.id] = line
    if any(line.lot_id is not None and line.product_id in known for line in known.values()):
        raise Refused(Code.INVALID_REQUEST, "A product is counted as a whole and by lot.", {"field": "lines"})
    return tuple(known.values())


def _ask_for_lines(stock: Stock, place: Location, lines: tuple[CountLine, ...]) -> None:
    """Ask for all products, levels and lots of the lines, each kind at once."""
    catalog = stock.catalog
    catalog.know_products(line.product for line in lines)
    products = [catalog.product(line.product) for line in lines]
    stock.lock_levels((product.id, place.id) for product in products if product is not None)
    ask_for_named_lots(stock, (line.lot_id for line in lines if line.lot_id is not None))
    levels = [None if product is None else stock.levels.get((product.id, place.id)) for product in products]
    of_lots = zip(levels, (line.lot_id for line in lines), strict=True)
    stock.ask_for_lot_stocks((level, lot_id) for level, lot_id in of_lots if level is not None and lot_id is not None)


def _written_line(stock: Stock, place: Location, line: CountLine, written: set[str], *, draft: bool) -> SheetLine:
    """The line of a sheet with its number (or none yet), and the balance beside it; it is in `written` only once."""
    product, _ = product_at(stock, line.product, place.code)
    if (line.lot_id or product.id) in written:
        raise Refused(Code.INVALID_REQUEST, f"{product.sku} is counted twice.", {"field": "lines"})
    if line.lot_id is not None and not lot_exists(stock, line.lot_id, product):
        raise not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", line.lot_id)
    units = None if line.counted is None else product.units(line.counted)
    if (line.counted is None and not draft) or (line.counted is not None and (units is None or units < 0)):
        raise invalid_quantity(product, line.counted, "0 or more")
    before = _present(stock, product, place, line.lot_id)
    counted_at = None if units is None else stock.now
    return SheetLine(product.id, line.lot_id, before, units, counted_at=counted_at, precision=product.precision)


def _present(stock: Stock, product: Product, place: Location, lot_id: str | None) -> int:
    """What the books say is there of the product, or of the lot."""
    level = stock.level(product.id, place.id)
    if level is None:
        return 0
    if lot_id is None:
        return level.on_hand
    at = stock.lot_stock(level, lot_id)
    return 0 if at is None else at.on_hand


def _refuse_second_sheet(stock: Stock, sheet: CountSheet) -> None:
    """Refuse a second open sheet on one of the sheet's levels."""
    products = {line.product_id for line in sheet.lines}
    for other in open_sheets(stock, sheet.location_id, sheet.id):
        shared = products & {line.product_id for line in other.lines}
        if shared:
            product = stock.catalog.product(min(shared))
            assert product is not None
            raise invalid_state(f"{product.sku} is on the open count {other.id}.", count_id=other.id)


def _post(stock: Stock, sheet: CountSheet, *, skip: bool = False) -> CountDocument:
    """Make every level what was counted plus what moved since; lines without a number are refused, or left alone."""
    place = stock.catalog.locations[sheet.location_id]
    cause = Cause(stock.caller.actor, ref_id=sheet.id)
    first_entry = len(stock.entries)
    posted = stock.each_line(
        sheet.lines,
        lambda _, line: line if skip and line.counted is None else _post_line(stock, sheet, place, line, cause),
    )
    correct_open_sheets(stock, place, first_entry, sheet.id)
    sheet = replace(sheet, status=POSTED, lines=tuple(posted), updated_at=stock.now)
    stock.put_record("count_sheet", sheet.id, sheet)
    return describe_sheet(stock, sheet)


def _post_line(stock: Stock, sheet: CountSheet, place: Location, line: SheetLine, cause: Cause) -> SheetLine:
    """Make the line's level (or lot) what was counted plus what has moved since; the line as posted."""
    product = stock.catalog.product(line.product_id)
    assert product is not None
    if line.counted is None:
        raise invalid_state(f"{product.sku} is not counted yet.", product_id=product.id)
    if product.unlimited:
        raise not_stock_tracked(product)
    if line.precision not in (None, product.precision):
        detail = f"The precision of {product.sku} has changed since it was counted: write its number again."
        raise invalid_state(detail, product_id=product.id)
    level = stock.open_level(line.product_id, place.id)
    if line.counted_at is None and level.seq and level.updated_at >= sheet.created_at:
        raise invalid_state(
            f"{product.sku} was counted with an older version, and has moved since the sheet was opened: "
            "write its number again.",
            product_id=product.id,
        )
    identity = None if line.lot_id is None else lot_of_id(stock, line.lot_id)
    lot = None if identity is None else lot_at(stock, level, identity)
    present = level.on_hand if lot is None else lot.on_hand
    result = line.counted + present - line.before
    if result < 0:
        raise invalid_state(
            f"{product.sku}: {product.number(line.counted)} counted, but more than that has left since.",
            product_id=product.id,
            available=product.number(present),
        )
    shorted = make_equal(stock, level, lot, result, cause, "COUNT", None)
    if lot is not None and identity is not None and identity.status == QUARANTINED and place.sellable and lot.on_hand:
        shorted += set_aside(stock, level, lot, lot.on_hand, cause, "TRANSFER")
    _tell_counted(stock, product, place, level, lot, result - present, sheet.id)
    return replace(line, difference=result - present, shorted=tuple(shorted))


def _tell_counted(
    stock: Stock, product: Product, place: Location, level: Level, lot: LotStock | None, difference: int, sheet_id: str
) -> None:
    stock.tell(
        "StockCounted",
        product.id,
        {
            "product_id": product.id,
            "sku": product.sku,
            "location": place.code,
            "store_id": place.told_to,
            "lot_id": None if lot is None else lot.lot_id,
            "quantity": product.number(level.on_hand),
            "difference": product.number(difference),
            "count_id": sheet_id,
            "timestamp": instant_text(stock.now),
        },
    )


DECISIONS = (
    Decision(Count, count, Permission.STOCK),
    Decision(FillSheet, fill_sheet, Permission.STOCK),
    Decision(RemoveSheetLine, remove_line, Permission.STOCK),
    Decision(CloseSheet, close_sheet, Permission.STOCK),
)
