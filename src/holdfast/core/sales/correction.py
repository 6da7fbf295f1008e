"""Corrections of a sale of which a part has gone out: less of what is open, and a shipment that never left.

    5 ordered, 2 shipped, the customer drops 1    -> 4 ordered, 2 open; one hold less, the money in proportion
    the shipment of 2 was entered by mistake      -> 2 units are in their lots again and held, its postings reversed
    the same after it completed the sale          -> the sale stands as it did before it: open, or in the queue;
                                                     what was given up meanwhile stays so, and the rest keeps its share

Nothing is ever changed in ledger and journal: what a shipment wrote is reversed by new entries, units and value from
and to the same lots. It refuses to make a line larger, or smaller than what went out of it; and to take back a shipment
of a sale that was paid or of which something came back (that is a return), of a lot that was recalled or of a place
that is gone meanwhile, what a supplier ships, and what an older version shipped, which did not keep the lots.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.command import Command, Decision, given
from holdfast.core.records.number import Number
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, invalid_quantity, invalid_state, not_found
from holdfast.core.records.sale import WITHOUT_GOODS, Fulfillment, Sale, SaleLine, Shipped, Taken
from holdfast.core.records.status import ACTIVE, OPEN, SUSPENDED
from holdfast.core.records.stock import Level, Lot, Reservation
from holdfast.core.records.tax import less, negative
from holdfast.core.records.wants import SessionById
from holdfast.core.reservations.sourcing import adjust_hold, renew
from holdfast.core.sales import cart
from holdfast.core.sales.cart import (
    CancelSale,
    EditLine,
    line_of_sale,
    reprice,
    reprice_if_it_can_be,
    sale_facts,
    shipped,
)
from holdfast.core.sales.completion import cancel_sale, finish_shipped
from holdfast.core.sales.documents import SaleDocument, describe_sale
from holdfast.core.sales.register import RegisterSession
from holdfast.core.sales.shipment import Booked, booked_by_line, cut_lines, terms_of, without
from holdfast.core.sales.supplier_orders import change_supplier_order
from holdfast.core.sales.taxes import taxes_booked
from holdfast.core.stock.holds import closed
from holdfast.core.stock.journal import RECEIVABLE, REVENUE, stage_money, tax_payable
from holdfast.core.stock.lots import lot_at
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import find_sale, lines_of, product_of_line
from holdfast.core.stock.shortages import cause_of_hold, tell_hold

replace = msgspec.structs.replace

REVERTED = "reverted"
"""The reason of the ledger entries that bring a shipment back."""


class RevertShipment(Command, frozen=True, gc=False):
    """Take back a shipment that was entered by mistake; `reason` is kept in ledger and journal."""

    sale_id: str
    fulfillment_id: str
    reason: str


class TakeBackOrder(Command, frozen=True, gc=False):
    """Cancel an order that should not have been taken, where nothing has gone out and nobody has paid."""

    sale_id: str


# The open part of a line ---------------------------------------------------------------------------------------------


def edit_line(stock: Stock, command: EditLine) -> SaleDocument:
    """Decide an EditLine: of a sale of which a part has gone out only the open part of a line can be made smaller.

    Money that the order's source has stated goes down in proportion; what is made more is priced here.
    """
    sale = find_sale(stock, command.sale_id)
    only_units = given(command, "sale_id", "line_id", "override").keys() == {"quantity"}
    in_proportion = sale.as_stated or shipped(stock, sale)
    if not (only_units and sale.unfinished and in_proportion):
        return cart.edit_cart_line(stock, command)
    assert not isinstance(command.quantity, UnsetType)
    line = line_of_sale(stock, sale, command.line_id)
    if not shipped(stock, sale) and (product_of_line(stock, line).units(command.quantity) or 0) > line.quantity:
        return cart.edit_cart_line(stock, command)
    units = _units_left(stock, line, command.quantity)
    if units < line.quantity:
        sale = _reduced(stock, sale, line, units)
    if any(one.open for one in lines_of(stock, sale) if one.kind not in WITHOUT_GOODS):
        renew(stock, sale)
    elif sale.fulfillments and not sale.unmapped:
        sale = finish_shipped(stock, sale)
    return describe_sale(stock, sale)


def _units_left(stock: Stock, line: SaleLine, quantity: Number) -> int:
    """The smallest units that the line shall have; never more than it has, nor fewer than went out of it."""
    product = product_of_line(stock, line)
    units = product.units(quantity)
    if units is None or units <= 0:
        raise invalid_quantity(product, quantity)
    if units > line.quantity:
        raise invalid_state("A part of the sale went out already: its lines can only be made smaller.")
    if units < line.fulfilled:
        gone = product.number(line.fulfilled)
        raise invalid_state(
            f"{gone} of {product.sku} went out already: the line cannot be less.", product_id=product.id, fulfilled=gone
        )
    return units


def _reduced(stock: Stock, sale: Sale, line: SaleLine, units: int) -> Sale:
    """The sale with fewer units of the line: its holds give up what is too much, the money goes down in proportion.

    Where nothing was booked yet (units left by their hold alone) the money is computed anew, as of any cart.
    """
    fewer = replace(line, quantity=units, updated_at=stock.now)
    if line.kind == "stock" and sum(hold.open for hold in stock.holds_of_line(line.id)) > fewer.open:
        adjust_hold(stock, sale, fewer)
    change_supplier_order(stock, fewer)
    if sale.fulfillments or sale.as_stated:
        return cut_lines(stock, sale, {line.id: units})
    stock.put_row(fewer)
    return reprice(stock, sale)


# A shipment is taken back --------------------------------------------------------------------------------------------


def revert_shipment(stock: Stock, command: RevertShipment) -> SaleDocument:
    """Decide a RevertShipment: its units are in their lots and held again, the sale is what it was before."""
    sale = find_sale(stock, command.sale_id)
    part = next((one for one in sale.fulfillments if one.lines and one.id == command.fulfillment_id), None)
    if part is None:
        raise not_found(Code.NOT_FOUND, "Fulfillment", command.fulfillment_id)
    lines = lines_of(stock, sale)
    _refuse_to_revert(sale, part, lines)
    if not sale.unfinished:
        _take_from_session(stock, sale)
    moved = () if part.moved is UNSET else part.moved
    stock.holds(one.hold_id for one in moved)
    stock.lots_by_id(one.lot_id for one in moved)
    holds = stock.each(moved[::-1], lambda _, units: _hold_again(stock, sale, units, command.reason))
    _open_lines(stock, sale, part, lines, holds)
    sale = _unbooked(stock, sale, part, lines, command.reason)
    stock.tell("SaleFulfillmentReverted", None, {**sale_facts(stock, sale), "fulfillment_id": part.id})
    return describe_sale(stock, sale)


def _refuse_to_revert(sale: Sale, part: Fulfillment, lines: list[SaleLine]) -> None:
    """Refuse to take back a shipment that is a supplier's, or cannot be told from what else was done with the sale."""
    kinds = {line.id: line.kind for line in lines}
    if any(kinds.get(line_id) == "dropship" for line_id, _ in part.lines):
        raise invalid_state("A supplier ships a part of it: what comes back from there is a return.")
    if part.moved is UNSET and any(kinds.get(line_id) == "stock" for line_id, _ in part.lines):
        raise invalid_state("From which lots it went out is not known any more: bring the goods back as a return.")
    if sale.unfinished:
        return
    if any(line.returned for line in lines):
        raise invalid_state("Something of the sale came back already: bring the rest back as a return.")
    if sale.fulfillments[-1].before is UNSET or sale.payments:
        raise invalid_state("The sale was completed with more than this shipment: bring goods back as a return.")


def _take_from_session(stock: Stock, sale: Sale) -> None:
    """A till that is open counts a sale less; refused where it was closed with the sale in its report."""
    if sale.session_id is None:
        return
    stock.require(SessionById(sale.session_id))
    session = stock.row(RegisterSession, sale.session_id)
    if session is None or session.status != OPEN:
        raise invalid_state("The register session that completed the sale is closed: bring the goods back as a return.")
    stock.put_row(replace(session, sales=session.sales - 1, updated_at=max(stock.now, session.updated_at)))


def _hold_again(stock: Stock, sale: Sale, moved: Shipped, reason: str) -> Reservation:
    """Units that were shipped lie in their lot again, with the value that they took along, and are held."""
    hold = stock.hold(moved.hold_id)
    assert hold is not None, moved
    lot, place = stock.lots[moved.lot_id], stock.catalog.locations[moved.location_id]
    if not place.active:
        raise invalid_state(f"Location {place.code} is no more: bring the goods back as a return.")
    level = stock.open_level(hold.product_id, place.id)
    at = lot_at(stock, level, lot)
    over = at.sellable_until is not None and at.sellable_until <= stock.now
    if lot.status != ACTIVE or over:
        name = lot.code or lot.id
        raise invalid_state(f"Lot {name} is not for sale any more: bring the goods back as a return.", lot_id=lot.id)
    own = hold.level_id == level.id
    cause = replace(cause_of_hold(hold, stock.caller.actor, REVERTED, ref_id=sale.id), note=reason)
    reserved = moved.units if own else 0
    stock.post(cause, level, at, "SALE", qty=moved.units, reserved=reserved, value=moved.value, hold=hold.id)
    hold = _with_units_back(hold, moved, level) if own else _held_elsewhere(stock, hold, moved, level, lot)
    stock.put_hold(hold)
    tell_hold(stock, "InventoryReserved", hold, stock.product_of(level), moved.units)
    return hold


def _with_units_back(hold: Reservation, moved: Shipped, level: Level) -> Reservation:
    """The hold as if the units had never been consumed: what went first is first again."""
    held = dict(hold.allocations)
    units = held.pop(moved.lot_id, 0) + moved.units
    return replace(
        hold,
        status=ACTIVE,
        release_reason=None,
        consumed=hold.consumed - moved.units,
        allocations=((moved.lot_id, units), *held.items()),
        updated_at=level.updated_at,
    )


def _held_elsewhere(stock: Stock, hold: Reservation, moved: Shipped, level: Level, lot: Lot) -> Reservation:
    """The hold has moved to another location since: it gives the units up to a new one where they lie."""
    left = replace(hold, quantity=hold.quantity - moved.units, consumed=hold.consumed - moved.units)
    stock.put_hold(replace(closed(left, "edited"), updated_at=max(stock.now, hold.updated_at)))
    began = max(stock.now, level.updated_at)
    again = replace(
        hold,
        id=stock.new_id(),
        level_id=level.id,
        location_id=level.location_id,
        quantity=moved.units,
        consumed=0,
        released=0,
        backordered=0,
        allocations=((lot.id, moved.units),),
        status=ACTIVE,
        release_reason=None,
        created_at=began,
        updated_at=began,
    )
    at = stock.lots_at[level.id][lot.id]
    stock.post(cause_of_hold(hold, stock.caller.actor), level, at, "RESERVE", reserved=moved.units, hold=again.id)
    return again


def _open_lines(stock: Stock, sale: Sale, part: Fulfillment, lines: list[SaleLine], holds: list[Reservation]) -> None:
    """The units of the shipment are open again; of a sale that was completed nothing is due for its lines yet, and what
    needs no stock went out only as far as other shipments say."""
    back = dict(part.lines)
    elsewhere: dict[str, int] = {}
    for one in sale.fulfillments:
        for line_id, units in one.lines if one.id != part.id else ():
            elsewhere[line_id] = elsewhere.get(line_id, 0) + units
    moved: dict[str, list[Shipped]] = {}
    for units_moved in () if part.moved is UNSET else part.moved:
        moved.setdefault(units_moved.line_id, []).append(units_moved)
    held: dict[str | None, list[str]] = {}
    for hold in holds:
        held.setdefault(hold.sale_line_id, []).append(hold.id)
    for line in lines:
        fulfilled = line.fulfilled - back.get(line.id, 0)
        if line.kind in WITHOUT_GOODS and not sale.unfinished:
            fulfilled = elsewhere.get(line.id, 0)
        made = dict.fromkeys(name for name in held.get(line.id, []) if name not in line.reservations)
        changed = replace(
            line,
            fulfilled=fulfilled,
            due=line.due if sale.unfinished else 0,
            taken=_not_taken(line.taken, moved.get(line.id, [])),
            reservations=(*line.reservations, *made),
        )
        if changed != line:
            stock.put_row(replace(changed, updated_at=stock.now))


def _not_taken(taken: tuple[Taken, ...], moved: list[Shipped]) -> tuple[Taken, ...]:
    """What the line took from lots, without what the shipment moved: the last that fits of each."""
    left = list(taken)[::-1]
    for one in reversed(moved):
        left.remove(Taken(one.lot_id, one.location_id, one.units, one.value))
    return tuple(left[::-1])


def _unbooked(stock: Stock, sale: Sale, part: Fulfillment, lines: list[SaleLine], reason: str) -> Sale:
    """The sale without the shipment, its postings reversed by a new entry; a completed one stands as it did before."""
    terms = terms_of(sale, lines)
    before = _sum(booked_by_line(sale, terms))
    rest = without(sale, part, lines)
    after = _sum(booked_by_line(rest, terms))
    if sale.unfinished:
        total, tax = before.total - after.total, before.tax - after.tax
    else:  # the last shipment booked what was left of the sale: its fees, and what left by holds alone
        total, tax = sale.posted - after.total, sale.posted_tax - after.tax
        rest = _reopened(rest, sale.fulfillments[-1])
    rest = replace(
        rest,
        posted=sale.posted - total,
        posted_tax=sale.posted_tax - tax,
        posted_taxes=taxes_booked(rest, lines) or None,
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(rest)
    if not rest.fulfillments:
        rest = reprice_if_it_can_be(stock, rest)
    renew(stock, rest)
    words = f"Sale {sale.number}, shipment taken back: {reason}"[:200]
    known = taxes_booked(sale, lines) if sale.posted_taxes is None else sale.posted_taxes
    back = less(known, () if rest.posted_taxes is None else rest.posted_taxes)
    money = [(RECEIVABLE, -total), *tax_payable(negative(back)), (REVENUE, total - tax)]
    stage_money(stock, "SALE", sale.id, words, money, sale.store_id)
    return rest


def _reopened(sale: Sale, last: Fulfillment) -> Sale:
    """A completed sale as it stood before its last shipment, which may be among those that are left."""
    assert last.before is not UNSET
    parts = tuple(replace(one, before=UNSET) if one.id == last.id else one for one in sale.fulfillments)
    return replace(sale, status=last.before, fulfillments=parts, session_id=None, completed_at=None)


def _sum(booked: dict[str, Booked]) -> Booked:
    """All lines together."""
    return Booked(
        sum(one.units for one in booked.values()),
        sum(one.total for one in booked.values()),
        sum(one.tax for one in booked.values()),
    )


# An order that should not have been taken ----------------------------------------------------------------------------


def take_back_order(stock: Stock, command: TakeBackOrder) -> SaleDocument:
    """Decide a TakeBackOrder."""
    sale = find_sale(stock, command.sale_id)
    if sale.status != SUSPENDED:
        raise invalid_state(f"The order is {sale.status}.", status=sale.status)
    if sale.fulfillments or any(line.fulfilled for line in lines_of(stock, sale)):
        raise invalid_state("A part of the order has gone out.")
    if sale.payments:
        raise invalid_state("The order was paid.")
    return cancel_sale(stock, CancelSale(sale.id))


DECISIONS = (
    Decision(EditLine, edit_line, Permission.SELL),
    Decision(RevertShipment, revert_shipment, Permission.SELL),
    Decision(TakeBackOrder, take_back_order, Permission.MANAGE),
)
