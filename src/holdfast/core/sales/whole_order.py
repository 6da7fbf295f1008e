"""Whole orders of a channel: their holds are made, given back or sold together, and with them the sale that they are.

    Shopify reserves order 820982: 2 mugs     -> held, and what is not there waits: the channel has taken the order
    the same again                            -> the holds that it has, and no more
    3 mugs, and a tee                         -> the holds that it has, and what it lacks: 1 mug, 1 tee
    820982 is cancelled                       -> every hold goes back to its lots; its sale, if it is one, is cancelled
    820982 is converted to a sale             -> its units leave; its sale, if it is one, has shipped them

A caller who is limited to stores hears nothing of an order that has holds elsewhere, and does nothing to it.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.core.records.command import Decision
from holdfast.core.records.documents import ReservationDocument, UnlimitedDocument, unlimited_document
from holdfast.core.records.number import Number
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, invalid_quantity, not_found
from holdfast.core.records.stock import FOR_LINE, Reservation
from holdfast.core.reservations.adoption import sale_of_order
from holdfast.core.reservations.order_holds import OrderClose, OrderLine, OrderReserve, sell_or_release, too_many
from holdfast.core.reservations.order_names import refuse_held_order
from holdfast.core.reservations.reserve import Reserve, Target, make_direct_hold, validate_reserve
from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.completion import cancel_sale
from holdfast.core.stock.holds import describe
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import known_sale, lines_of, look_at_sale, may_touch_sale
from holdfast.core.stock.store_access import refuse_foreign_store
from holdfast.core.stock.working_set import oldest_first


def order_reserve(stock: Stock, command: OrderReserve) -> list[ReservationDocument | UnlimitedDocument]:
    """Decide an OrderReserve: a fact, so what stock does not cover waits."""
    refuse_held_order(stock, command.source, command.order_number)
    sale_id, holds = _known(stock, command.order_number, command.source)
    answers: list[ReservationDocument | UnlimitedDocument] = [_told(stock, hold) for hold in holds]
    stock.catalog.know_products(line.product for line in command.lines)
    if sale_id is not None and (_any_of_line(holds) or _has_any(stock, sale_id, command.lines)):
        return answers
    target = Target(command.order_number, command.source)
    covered = _covered(holds)

    def hold_line(_: int, line: OrderLine) -> Reservation | UnlimitedDocument | None:
        product = stock.catalog.product(line.product)
        if product is not None and product.unlimited:
            return unlimited_document(product)
        quantity = line.quantity if product is None else _lack(covered, product, line)
        if quantity is None:
            return None
        asked = Reserve(line.product, quantity, command.location, target, fact=True)
        return make_direct_hold(stock, asked, validate_reserve(stock, asked))

    for hold in stock.each_line(command.lines, hold_line):
        if isinstance(hold, UnlimitedDocument):
            answers.append(hold)
        elif hold is not None:
            answers.append(_told(stock, hold))
    return answers


def _any_of_line(holds: list[Reservation]) -> bool:
    """Has the order's sale taken over any of the holds? Then the sale says what the order is."""
    return any(hold.held_for == FOR_LINE for hold in holds)


def _covered(holds: list[Reservation]) -> dict[str, int]:
    """The units of each product that the order has had already, by product id.

    What was given back counts as well: an order that is told of again after it was cancelled is held no second time.
    What lapsed does not count. The holds of a whole order have no end, so somebody else made that one.
    """
    covered: dict[str, int] = {}
    for hold in holds:
        units = hold.quantity if hold.release_reason != "expired" else hold.consumed
        covered[hold.product_id] = covered.get(hold.product_id, 0) + units
    return covered


def _lack(covered: dict[str, int], product: Product, line: OrderLine) -> Number | None:
    """What of the line is still to be held; what of `covered` is counted for it is taken off. None: nothing."""
    units = product.units(line.quantity)
    if units is None or units <= 0:
        return line.quantity  # it is refused for it
    part = min(units, covered.get(product.id, 0))
    if not part:
        return line.quantity
    covered[product.id] -= part
    return Decimal(units - part).scaleb(-product.precision) if units > part else None


def _has_any(stock: Stock, sale_id: str, lines: tuple[OrderLine, ...]) -> bool:
    """Has the order's sale any of these products? One that has none says nothing of them, and a fact is not dropped."""
    sale = known_sale(stock, sale_id)
    if sale is None or not may_touch_sale(stock, sale):
        return True
    sold = {line.product_id for line in lines_of(stock, sale)}
    products = [stock.catalog.product(line.product) for line in lines]
    return any(product is not None and product.id in sold for product in products)


def _told(stock: Stock, hold: Reservation) -> ReservationDocument:
    """The hold as the channel hears of it: what waits is a conflict between what it took and what is there."""
    told = describe(stock, hold)
    return msgspec.structs.replace(told, conflict=True) if hold.backordered else told


def _known(stock: Stock, order_number: str, source: str) -> tuple[str | None, list[Reservation]]:
    """The sale that the order is, and every hold of the order or its sale, oldest first, with its level locked."""
    sale_id = sale_of_order(stock, source, order_number)
    numbers = [order_number]
    if sale_id is not None:
        sale = known_sale(stock, sale_id)
        if sale is not None and may_touch_sale(stock, sale):
            numbers.append(sale.order_number)
        elif not stock.holds_of_order(source, order_number):
            look_at_sale(stock, sale_id)  # says why not
    found = {hold.id: hold for hold in stock.holds_of_order(source, *numbers)}
    for hold in found.values():
        refuse_foreign_store(stock, stock.catalog.locations[hold.location_id])
    return sale_id, oldest_first(found.values())


def order_close(stock: Stock, command: OrderClose) -> list[ReservationDocument]:
    """Decide an OrderClose; an order whose holds are closed already answers them as they are."""
    sale_id, holds = _known(stock, command.order_number, command.source)
    if not holds and sale_id is None:
        raise not_found(Code.RESERVATION_NOT_FOUND, "Reservation of order", command.order_number)
    parts = _parts(stock, command, holds)
    sell_or_release(stock, parts, consume=command.consume)
    if sale_id is not None and not command.consume and not command.lines:
        _cancel_sale(stock, sale_id)
    return [describe(stock, stock.reservations[hold.id]) for hold in holds]


def _parts(stock: Stock, command: OrderClose, holds: list[Reservation]) -> list[tuple[Reservation, int]]:
    """(hold, units) of what is to be closed: all that is open, or the products and quantities of the lines."""
    wanted: dict[str, int] = {}
    stock.catalog.know_products(line.product for line in command.lines)
    for line in command.lines:
        product = stock.catalog.product(line.product)
        if product is None:
            raise not_found(Code.PRODUCT_NOT_FOUND, "Product", line.product)
        units = product.units(line.quantity)
        if units is None or units <= 0:
            raise invalid_quantity(product, line.quantity)
        wanted[product.id] = wanted.get(product.id, 0) + units
    parts: list[tuple[Reservation, int]] = []
    for hold in holds:
        part = hold.open if not command.lines else min(hold.open, wanted.get(hold.product_id, 0))
        if not hold.active or not part:
            continue
        if command.consume and part > hold.allocated:
            product = stock.product_of(stock.level_of_id[hold.level_id])
            raise too_many(product, part, [hold])
        if command.lines:
            wanted[hold.product_id] -= part
        parts.append((hold, part))
    return parts


def _cancel_sale(stock: Stock, sale_id: str) -> None:
    """The order's sale is given up with its holds, where the caller may touch it."""
    sale = known_sale(stock, sale_id)
    if sale is not None and may_touch_sale(stock, sale) and sale.unfinished:
        cancel_sale(stock, CancelSale(sale.id))


DECISIONS = (
    Decision(OrderReserve, order_reserve, Permission.RESERVE),
    Decision(OrderClose, order_close, Permission.RESERVE),
)
