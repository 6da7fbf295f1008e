"""Transfers: units leave one location for another by way of transit (SPEC section 5).

    Dispatch 5 from WEST to EAST  -> WEST 5 fewer, TRANSIT 5 more, lots and cost go along
    Arrive                        -> EAST 5 more, backorders there are served

Only unreserved units may leave. What does not arrive is written off when the receiver says so (`short`), else the
arrival is refused.
"""

from __future__ import annotations

import msgspec

from holdfast.core.allocation import back, lot_exists, pinned_lot_refusal
from holdfast.core.counting import product_at
from holdfast.core.decision import Command, Decision
from holdfast.core.holding import Level
from holdfast.core.low_stock import tell_low_stock
from holdfast.core.number import Number, instant_text, share_of_value
from holdfast.core.permission import Permission
from holdfast.core.product import Location, Product
from holdfast.core.promise import serve_waiting
from holdfast.core.recall import set_aside
from holdfast.core.receiving import lot_at, put_in
from holdfast.core.rejection import (
    Code,
    Rejected,
    group_rejected,
    insufficient_stock,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.reservation import foreign_store_refusal
from holdfast.core.stock import Cause, Stock


class TransferLine(msgspec.Struct, frozen=True, gc=False):
    """A product and how much of it; `lot_id` names the lot."""

    product: str
    quantity: Number
    lot_id: str | None = None


class Dispatch(Command, frozen=True, gc=False):
    """Send units from one location to another."""

    from_location: str
    to_location: str
    lines: tuple[TransferLine, ...]
    reference: str | None = None


class Arrive(Command, frozen=True, gc=False):
    """Receive a transfer: all of it, or the `lines` that came; `short` writes off the rest."""

    transfer_id: str
    lines: tuple[TransferLine, ...] | None = None
    short: bool = False


class ShippedLot(msgspec.Struct, frozen=True, gc=False):
    """What was shipped of one lot, in smallest units, and what of it arrived."""

    product_id: str
    lot_id: str
    units: int
    received: int | None = None


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """The record of a transfer; `status` is shipped or received."""

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
    """A lot of a transfer as the API shows it."""

    product_id: str
    sku: str
    lot_id: str
    quantity: int | float
    received: int | float | None


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


def dispatch(stock: Stock, command: Dispatch) -> TransferDocument | Rejected:
    """Decide a Dispatch: every line, or none."""
    origin = stock.catalog.location(command.from_location)
    refused = None if origin is None else foreign_store_refusal(stock, origin)
    if refused is not None:
        return refused
    destination = stock.catalog.location(command.to_location)
    if origin is None or destination is None:
        unknown = command.from_location if origin is None else command.to_location
        return not_found(Code.LOCATION_NOT_FOUND, "Location", unknown)
    if origin.id == destination.id or "transit" in (origin.kind, destination.kind):
        return Rejected(
            Code.INVALID_REQUEST,
            "A transfer goes from one location to another, neither of them transit.",
            {"field": "to_location"},
        )
    transit = transit_of(stock)
    transfer_id = stock.new_id()
    cause = Cause(stock.caller.actor, ref_id=transfer_id, note=command.reference)
    shipped: list[ShippedLot] = []
    failed: list[tuple[int, Rejected]] = []
    for index, lots in enumerate(
        stock.each(command.lines, lambda _, line: _ship_line(stock, cause, origin, transit, line))
    ):
        if isinstance(lots, Rejected):
            failed.append((index, lots))
        else:
            shipped.extend(lots)
    if failed:
        return group_rejected(failed)
    transfer = Transfer(
        transfer_id,
        origin.id,
        destination.id,
        "shipped",
        command.reference,
        tuple(shipped),
        stock.caller.actor,
        stock.now,
        stock.now,
    )
    stock.put_record("transfer", transfer_id, transfer)
    return describe_transfer(stock, transfer)


def _ship_line(
    stock: Stock, cause: Cause, origin: Location, transit: Location, line: TransferLine
) -> list[ShippedLot] | Rejected:
    subject = product_at(stock, line.product, origin.code)
    if isinstance(subject, Rejected):
        return subject
    product = subject[0]
    if line.lot_id is not None and not lot_exists(stock, line.lot_id, product):
        return not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", line.lot_id)
    units = product.units(line.quantity)
    if units is None or units <= 0:
        return invalid_quantity(product, line.quantity)
    level = stock.level(product.id, origin.id)
    if line.lot_id is not None:
        refused = pinned_lot_refusal(stock, level, line.lot_id, product)
        if refused is not None:
            return refused
    backing = [] if level is None else back(stock, level, product, units, line.lot_id)
    found = sum(part for _, part in backing)
    if found < units:
        stock.settle_first((level,))
    if level is None or found < units:
        return insufficient_stock(product, units, found)
    before = level.on_hand
    road = stock.open_level(product.id, transit.id)
    shipped = []
    for at, part in backing:
        value = share_of_value(at.value, at.on_hand, part)
        stock.post(cause, level, at, "TRANSFER", qty=-part, value=-value)
        put_in(stock, cause, road, stock.lots[at.lot_id], part, value, "TRANSFER")
        shipped.append(ShippedLot(product.id, at.lot_id, part))
    tell_low_stock(stock, level, before)
    _tell_transferred(stock, product, origin, transit, units, cause)
    return shipped


def arrive(stock: Stock, command: Arrive) -> TransferDocument | Rejected:
    """Decide an Arrive."""
    transfer: Transfer | None = stock.record("transfer", command.transfer_id)
    if transfer is None:
        return not_found(Code.NOT_FOUND, "Transfer", command.transfer_id)
    destination = stock.catalog.locations[transfer.to_location_id]
    refused = foreign_store_refusal(stock, destination)
    if refused is not None:
        return refused
    arrived = _arrived(stock, transfer, command)
    if isinstance(arrived, Rejected) and arrived.code is not Code.INVALID_STATE:
        return arrived
    if transfer.status != "shipped":
        return invalid_state(f"The transfer is {transfer.status}.")
    if isinstance(arrived, Rejected):
        return arrived
    cause = Cause(stock.caller.actor, ref_id=transfer.id, note=transfer.reference)
    pairs = list(zip(transfer.lots, arrived, strict=True))
    stock.lots_by_id(shipped.lot_id for shipped in transfer.lots)
    stock.each(pairs, lambda _, pair: _bring_in(stock, cause, pair[0], pair[1], destination))
    lots = [msgspec.structs.replace(shipped, received=units) for shipped, units in pairs]
    transfer = msgspec.structs.replace(transfer, status="received", lots=tuple(lots), updated_at=stock.now)
    stock.put_record("transfer", transfer.id, transfer)
    return describe_transfer(stock, transfer)


def _arrived(stock: Stock, transfer: Transfer, command: Arrive) -> list[int] | Rejected:
    """How much of each shipped lot arrived, in smallest units: lines fill the lots in the order shipped."""
    if command.lines is None:
        return [shipped.units for shipped in transfer.lots]
    arrived = [0] * len(transfer.lots)
    stock.catalog.know_products(line.product for line in command.lines)
    for line in command.lines:
        product = stock.catalog.product(line.product)
        if product is None:
            return not_found(Code.PRODUCT_NOT_FOUND, "Product", line.product)
        units = product.units(line.quantity)
        if units is None or units < 0:
            return invalid_quantity(product, line.quantity, "0 or more")
        for index, shipped in enumerate(transfer.lots):
            if shipped.product_id == product.id and line.lot_id in (None, shipped.lot_id):
                part = min(units, shipped.units - arrived[index])
                arrived[index] += part
                units -= part
        if units:
            return invalid_state(
                f"{product.number(units)} of {product.sku} more than shipped cannot arrive.", product_id=product.id
            )
    missing = sum(shipped.units - units for shipped, units in zip(transfer.lots, arrived, strict=True))
    if missing and not command.short:
        return invalid_state("Less than shipped arrived: say short to write off the rest.")
    return arrived


def _bring_in(stock: Stock, cause: Cause, shipped: ShippedLot, units: int, destination: Location) -> None:
    """Take a lot's units off the road into the destination; what is missing is written off."""
    road = stock.open_level(shipped.product_id, transit_of(stock).id)
    lot = stock.lots[shipped.lot_id]
    at = lot_at(stock, road, lot)
    product = stock.product_of(road)
    if units:
        level = stock.open_level(shipped.product_id, destination.id)
        value = share_of_value(at.value, at.on_hand, units)
        stock.post(cause, road, at, "TRANSFER", qty=-units, value=-value)
        put_in(stock, cause, level, lot, units, value, "TRANSFER")
        if lot.status != "active":
            _divert(stock, cause, level, lot.id, units)
        serve_waiting(stock, level, stock.caller.actor)
        _tell_transferred(stock, product, transit_of(stock), destination, units, cause)
    missing = shipped.units - units
    if missing:
        value = share_of_value(at.value, at.on_hand, missing)
        stock.post(cause, road, at, "ADJUSTMENT", qty=-missing, value=-value, reason="lost in transfer")


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
    lines = []
    for shipped in transfer.lots:
        product = products[shipped.product_id]
        received = None if shipped.received is None else product.number(shipped.received)
        lines.append(
            TransferLineDocument(product.id, product.sku, shipped.lot_id, product.number(shipped.units), received)
        )
    return TransferDocument(
        transfer.id,
        transfer.status,
        locations[transfer.from_location_id].code,
        locations[transfer.to_location_id].code,
        transfer.reference,
        lines,
        instant_text(transfer.created_at),
        instant_text(transfer.updated_at),
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
            "quantity": product.number(units),
            "transfer_id": cause.ref_id,
            "timestamp": instant_text(stock.now),
        },
    )


DECISIONS = (
    Decision(Dispatch, dispatch, Permission.STOCK),
    Decision(Arrive, arrive, Permission.STOCK),
)
