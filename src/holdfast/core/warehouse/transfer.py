"""Transfers: units leave one location for another by way of transit.

    Dispatch 12 from WEST to EAST      -> WEST 12 fewer, TRANSIT 12 more, lots and cost go along
    ReceiveTransfer 8                  -> EAST 8 more, backorders there are served; 4 are still on the road
    ReceiveTransfer 1, 1 lost          -> EAST 1 more, 1 written off; 2 are on the road
    SendBack                           -> WEST 2 more: nothing is on the road, the transfer is `received`

Only unreserved units may leave. What is on the road stays there until it has arrived, is written off (`lost`, or
`short` for all that is left) or is sent back. More than is on the road is refused, and so is whatever would bring units
to a location that was removed. Stock of a removed location can leave it by a transfer, and only so.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.number import Number, share_of_value
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_stock,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.records.status import ACTIVE, RECEIVED, RETURNED, SHIPPED, TRANSFER, Transitions
from holdfast.core.records.stock import Level
from holdfast.core.records.time import instant_text
from holdfast.core.stock.allocation import back, lot_exists, refuse_pinned_lot
from holdfast.core.stock.backorders import serve_waiting
from holdfast.core.stock.lots import ask_for_lots_at, lot_at, put_in
from holdfast.core.stock.low_stock import tell_low_stock
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.reliance import keep, refuse_gone, removed_location
from holdfast.core.stock.settling import set_aside
from holdfast.core.stock.store_access import refuse_foreign_store
from holdfast.core.warehouse.adjustment import tracked_product

replace = msgspec.structs.replace


class TransferLine(msgspec.Struct, frozen=True, gc=False):
    """A product and how much of it; `lot_id` names the lot. Of an arrival, `lost` units more will never come."""

    product: str
    quantity: Number
    lot_id: str | None = None
    lost: Number = 0


class Dispatch(Command, frozen=True, gc=False):
    """Send units from one location to another; a removed one may be named as the origin."""

    from_location: str
    to_location: str
    lines: tuple[TransferLine, ...]
    reference: str | None = None


class ReceiveTransfer(Command, frozen=True, gc=False):
    """Receive a transfer: all that is on the road, or the `lines` that came; `short` writes off the rest."""

    transfer_id: str
    lines: tuple[TransferLine, ...] | None = None
    short: bool = False


class SendBack(Command, frozen=True, gc=False):
    """Bring a transfer back to where it came from: all that is on the road, or the `lines`."""

    transfer_id: str
    lines: tuple[TransferLine, ...] | None = None
    reason: str | None = None


class ShippedLot(msgspec.Struct, frozen=True, gc=False):
    """What was shipped of one lot, and what of it arrived, was written off and was sent back, in smallest units.

    `received` is None until something of the lot arrived or the transfer has ended.
    """

    product_id: str
    lot_id: str
    units: int
    received: int | None = None
    lost: int = 0
    sent_back: int = 0

    @property
    def on_the_road(self) -> int:
        """What is left of it in transit, while the transfer is on the road."""
        return self.units - (self.received or 0) - self.lost - self.sent_back


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """The record of a transfer.

    `status` is `shipped` while anything is on the road; then `returned` when units were sent back and none arrived,
    else `received`.
    """

    transitions: ClassVar[Transitions] = TRANSFER

    id: str
    from_location_id: str
    to_location_id: str
    status: str
    reference: str | None
    lots: tuple[ShippedLot, ...]
    actor: str
    created_at: int
    updated_at: int


class TransferLineDocument(msgspec.Struct, frozen=True, gc=False):
    """A lot of a transfer as the API shows it: `quantity` shipped, and what became of it.

    `received` is null until something of the lot arrived or the transfer has ended.
    """

    product_id: str
    sku: str
    lot_id: str
    quantity: int | float
    received: int | float | None
    written_off: int | float
    returned: int | float
    in_transit: int | float


class TransferDocument(msgspec.Struct, frozen=True, gc=False):
    """A transfer as the API shows it."""

    id: str
    status: str
    from_location: str
    to_location: str
    reference: str | None
    lines: list[TransferLineDocument]
    created_at: str
    updated_at: str


def transit_of(stock: Stock) -> Location:
    """The organisation's transit location (every organisation is made with one)."""
    places = [place for place in stock.catalog.locations.values() if place.active and place.kind == "transit"]
    return min(places, key=lambda place: (place.priority, place.code))


def dispatch(stock: Stock, command: Dispatch) -> TransferDocument:
    """Decide a Dispatch: every line, or none."""
    origin = stock.catalog.location(command.from_location) or removed_location(stock, command.from_location)
    if origin is not None:
        refuse_foreign_store(stock, origin)
    destination = stock.catalog.location(command.to_location)
    if origin is None or destination is None:
        unknown = command.from_location if origin is None else command.to_location
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", unknown)
    if origin.id == destination.id or "transit" in (origin.kind, destination.kind):
        raise Refused(
            Code.INVALID_REQUEST,
            "A transfer goes from one location to another, neither of them transit.",
            {"field": "to_location"},
        )
    _refuse_lost(command.lines)
    keep(stock, destination)
    transit = transit_of(stock)
    transfer_id = stock.new_id()
    cause = Cause(stock.caller.actor, ref_id=transfer_id, note=command.reference)
    shipped = stock.each_line(command.lines, lambda _, line: _ship_line(stock, cause, origin, transit, line))
    transfer = Transfer(
        id=transfer_id,
        from_location_id=origin.id,
        to_location_id=destination.id,
        status=SHIPPED,
        reference=command.reference,
        lots=tuple(lot for lots in shipped for lot in lots),
        actor=stock.caller.actor,
        created_at=stock.now,
        updated_at=stock.now,
    )
    stock.put_record("transfer", transfer_id, transfer)
    return describe_transfer(stock, transfer)


def _ship_line(stock: Stock, cause: Cause, origin: Location, transit: Location, line: TransferLine) -> list[ShippedLot]:
    product = tracked_product(stock, line.product)
    if line.lot_id is not None and not lot_exists(stock, line.lot_id, product):
        raise not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", line.lot_id)
    units = product.units(line.quantity)
    if units is None or units <= 0:
        raise invalid_quantity(product, line.quantity)
    level = stock.level(product.id, origin.id)
    if line.lot_id is not None:
        refuse_pinned_lot(stock, level, line.lot_id, product)
    backing = [] if level is None else back(stock, level, product, units, line.lot_id)
    found = sum(part for _, part in backing)
    if found < units:
        stock.require_expired_holds((level,))
    if level is None or found < units:
        raise insufficient_stock(product, units, found)
    before = level.on_hand
    road = stock.open_level(product.id, transit.id)
    ask_for_lots_at(stock, road, (at for at, _ in backing))
    shipped = []
    for at, part in backing:
        value = share_of_value(at.value, at.on_hand, part)
        stock.post(cause, level, at, "TRANSFER", qty=-part, value=-value)
        put_in(stock, cause, road, stock.lots[at.lot_id], part, value, "TRANSFER")
        shipped.append(ShippedLot(product.id, at.lot_id, part))
    tell_low_stock(stock, level, before)
    _tell_transferred(stock, product, origin, transit, units, cause)
    return shipped


def receive_transfer(stock: Stock, command: ReceiveTransfer) -> TransferDocument:
    """Decide a ReceiveTransfer: every line, or none."""
    transfer: Transfer | None = stock.record("transfer", command.transfer_id)
    if transfer is None:
        raise not_found(Code.NOT_FOUND, "Transfer", command.transfer_id)
    destination = stock.catalog.locations[transfer.to_location_id]
    refuse_foreign_store(stock, destination)
    parts = _parts(stock, transfer, command.lines)
    if command.short:
        parts = [_Part(part.lot, part.moved, part.lot.on_the_road - part.moved) for part in parts]
    _refuse_nothing(parts)
    if any(part.moved for part in parts):
        refuse_gone(destination)
    cause = Cause(stock.caller.actor, ref_id=transfer.id, note=transfer.reference)
    _leave_the_road(stock, parts, destination, cause)
    lots = [
        replace(part.lot, received=(part.lot.received or 0) + part.moved, lost=part.lot.lost + part.lost)
        if part.moved
        else replace(part.lot, lost=part.lot.lost + part.lost)
        for part in parts
    ]
    return _moved_on(stock, transfer, lots)


def send_back(stock: Stock, command: SendBack) -> TransferDocument:
    """Decide a SendBack: every line, or none."""
    transfer: Transfer | None = stock.record("transfer", command.transfer_id)
    if transfer is None:
        raise not_found(Code.NOT_FOUND, "Transfer", command.transfer_id)
    origin = stock.catalog.locations[transfer.from_location_id]
    refuse_foreign_store(stock, origin)
    parts = _parts(stock, transfer, command.lines)
    _refuse_lost(command.lines or ())
    _refuse_nothing(parts)
    refuse_gone(origin)
    reason = command.reason or "sent back"
    cause = Cause(stock.caller.actor, ref_id=transfer.id, reason=reason, note=transfer.reference)
    _leave_the_road(stock, parts, origin, cause)
    lots = [replace(part.lot, sent_back=part.lot.sent_back + part.moved) for part in parts]
    return _moved_on(stock, transfer, lots)


class _Part(NamedTuple):
    """What leaves the road of one shipped lot: `moved` units go to a location, `lost` are written off."""

    lot: ShippedLot
    moved: int
    lost: int


def _parts(stock: Stock, transfer: Transfer, lines: tuple[TransferLine, ...] | None) -> list[_Part]:
    """What the lines mean of each shipped lot (no lines: all that is left); they fill the lots in the order shipped."""
    meant = _units_of_lines(stock, lines or ())
    if transfer.status != SHIPPED:
        raise invalid_state(f"The transfer is {transfer.status}.", transfer_status=transfer.status)
    if lines is None:
        return [_Part(lot, lot.on_the_road, 0) for lot in transfer.lots]
    left = [lot.on_the_road for lot in transfer.lots]
    places = _places_of_lots(transfer)
    moved, lost = [0] * len(left), [0] * len(left)
    for line, product, units, gone in meant:
        found = places.get((product.id, line.lot_id), [])
        over = _fill(found, left, moved, units) + _fill(found, left, lost, gone)
        if over:
            raise invalid_state(
                f"{product.number(over)} of {product.sku} more than is on the road.", product_id=product.id
            )
    return [_Part(lot, moved[index], lost[index]) for index, lot in enumerate(transfer.lots)]


def _refuse_nothing(parts: list[_Part]) -> None:
    """Refuse a request after which everything is on the road as before."""
    if not any(part.moved or part.lost for part in parts):
        raise Refused(Code.INVALID_REQUEST, "Nothing of the transfer is named.", {"field": "lines"})


def _refuse_lost(lines: tuple[TransferLine, ...]) -> None:
    """Refuse to be told by somebody else than the receiver of a transfer what was lost."""
    if any(line.lost for line in lines):
        raise Refused(Code.INVALID_REQUEST, "What was lost is told when the transfer is received.", {"field": "lines"})


def _units_of_lines(stock: Stock, lines: tuple[TransferLine, ...]) -> list[tuple[TransferLine, Product, int, int]]:
    """Each line with its product, its units and how many of it are lost."""
    found = []
    stock.catalog.know_products(line.product for line in lines)
    for line in lines:
        product = stock.catalog.product(line.product)
        if product is None:
            raise not_found(Code.PRODUCT_NOT_FOUND, "Product", line.product)
        units, lost = product.units(line.quantity), product.units(line.lost)
        if units is None or units < 0:
            raise invalid_quantity(product, line.quantity, "0 or more")
        if lost is None or lost < 0:
            raise invalid_quantity(product, line.lost, "0 or more")
        found.append((line, product, units, lost))
    return found


def _places_of_lots(transfer: Transfer) -> dict[tuple[str, str | None], list[int]]:
    """Where in `transfer.lots` a product's lots stand (last first), and where one of its lots does."""
    places: dict[tuple[str, str | None], list[int]] = {}
    for index in reversed(range(len(transfer.lots))):
        lot = transfer.lots[index]
        places.setdefault((lot.product_id, None), []).append(index)
        places.setdefault((lot.product_id, lot.lot_id), []).append(index)
    return places


def _fill(places: list[int], left: list[int], filled: list[int], units: int) -> int:
    """Take units from what is left at the places, from the end of the list; how many found no room.

    A place that is used up is dropped: the next line need not look at it again.
    """
    while units and places:
        index = places[-1]
        part = min(units, left[index])
        left[index] -= part
        filled[index] += part
        units -= part
        if not left[index]:
            places.pop()
    return units


def _leave_the_road(stock: Stock, parts: list[_Part], place: Location, cause: Cause) -> None:
    """Take units out of transit: into the place, or written off."""
    transit = transit_of(stock)
    leaving = [part for part in parts if part.moved or part.lost]
    stock.lots_by_id(part.lot.lot_id for part in leaving)
    stock.each(leaving, lambda _, part: _bring_in(stock, cause, part, transit, place))


def _moved_on(stock: Stock, transfer: Transfer, lots: list[ShippedLot]) -> TransferDocument:
    """Set the transfer as it stands after some of it left the road."""
    status = SHIPPED
    if not any(lot.on_the_road for lot in lots):
        status = RETURNED if any(lot.sent_back for lot in lots) and not any(lot.received for lot in lots) else RECEIVED
        lots = [replace(lot, received=lot.received or 0) for lot in lots]
    transfer = replace(transfer, status=status, lots=tuple(lots), updated_at=stock.now)
    stock.put_record("transfer", transfer.id, transfer)
    return describe_transfer(stock, transfer)


def _bring_in(stock: Stock, cause: Cause, part: _Part, transit: Location, place: Location) -> None:
    """Take a lot's units off the road into the place; what is lost is written off."""
    road = stock.open_level(part.lot.product_id, transit.id)
    lot = stock.lots[part.lot.lot_id]
    at = lot_at(stock, road, lot)
    product = stock.product_of(road)
    units = part.moved
    if units:
        level = stock.open_level(part.lot.product_id, place.id)
        value = share_of_value(at.value, at.on_hand, units)
        stock.post(cause, road, at, "TRANSFER", qty=-units, value=-value)
        put_in(stock, cause, level, lot, units, value, "TRANSFER")
        if lot.status != ACTIVE:
            _divert(stock, cause, level, lot.id, units)
        serve_waiting(stock, level, stock.caller.actor)
        _tell_transferred(stock, product, transit, place, units, cause)
    if part.lost:
        value = share_of_value(at.value, at.on_hand, part.lost)
        stock.post(cause, road, at, "ADJUSTMENT", qty=-part.lost, value=-value, reason="lost in transfer")


def _divert(stock: Stock, cause: Cause, level: Level, lot_id: str, units: int) -> None:
    """A lot that was recalled while it was on the road goes straight to quarantine."""
    if stock.catalog.locations[level.location_id].sellable:
        set_aside(stock, level, stock.lots_at[level.id][lot_id], units, cause, "TRANSFER")


def describe_transfer(stock: Stock, transfer: Transfer) -> TransferDocument:
    """The public shape of a transfer."""
    products: dict[str, Product] = {}
    stock.catalog.know_products(shipped.product_id for shipped in transfer.lots)
    for shipped in transfer.lots:
        product = stock.catalog.product(shipped.product_id)
        assert product is not None
        products[product.id] = product
    return transfer_document(transfer, products, stock.catalog.locations)


def transfer_document(
    transfer: Transfer, products: dict[str, Product], locations: dict[str, Location]
) -> TransferDocument:
    """The public shape of a transfer from its parts; `products` and `locations` by id."""
    lines = [_line_document(transfer, lot, products[lot.product_id]) for lot in transfer.lots]
    return TransferDocument(
        id=transfer.id,
        status=transfer.status,
        from_location=locations[transfer.from_location_id].code,
        to_location=locations[transfer.to_location_id].code,
        reference=transfer.reference,
        lines=lines,
        created_at=instant_text(transfer.created_at),
        updated_at=instant_text(transfer.updated_at),
    )


def _line_document(transfer: Transfer, lot: ShippedLot, product: Product) -> TransferLineDocument:
    """A line of a transfer; an older version did not write down what was lost, but it is what an ended one lacks."""
    on_the_road = lot.on_the_road if transfer.status == SHIPPED else 0
    lost = lot.units - (lot.received or 0) - lot.sent_back - on_the_road
    return TransferLineDocument(
        product_id=product.id,
        sku=product.sku,
        lot_id=lot.lot_id,
        quantity=product.number(lot.units),
        received=None if lot.received is None else product.number(lot.received),
        written_off=product.number(lost),
        returned=product.number(lot.sent_back),
        in_transit=product.number(on_the_road),
    )


def _tell_transferred(
    stock: Stock, product: Product, origin: Location, destination: Location, units: int, cause: Cause
) -> None:
    stock.tell(
        "StockTransferred",
        product.id,
        {
            "product_id": product.id,
            "sku": product.sku,
            "from_location": origin.code,
            "to_location": destination.code,
            "from_store_id": origin.told_to,
            "to_store_id": destination.told_to,
            "quantity": product.number(units),
            "transfer_id": cause.ref_id,
            "timestamp": instant_text(stock.now),
        },
    )


DECISIONS = (
    Decision(Dispatch, dispatch, Permission.STOCK),
    Decision(ReceiveTransfer, receive_transfer, Permission.STOCK),
    Decision(SendBack, send_back, Permission.STOCK),
)
