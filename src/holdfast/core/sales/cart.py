"""Carts: a sale while it is put together, and the shared queue of suspended ones (docs/how-to/sell.md).

    Open, add 2 mugs        -> open; the mugs are held for cart_hold_minutes from the last activity
    Suspend                 -> suspended: in the store's queue, its holds stay without an end
    Resume, by two cashiers -> exactly one has it
    Cancel                  -> cancelled; the holds go back. What was shipped already stays sold: completed

A line that no location can fill alone is split over the fewest that together can, one hold each. What stock does not
cover waits where the product allows it, at the first place in waiting order (`in_waiting_order`). Else the line is
refused and nothing is changed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.command import Command, Decision, given
from holdfast.core.records.number import Number, from_minor
from holdfast.core.records.permission import Permission
from holdfast.core.records.proportion import share_so_far
from holdfast.core.records.rejection import (
    Code,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.records.sale import LINES_MAX, NUMBERED_SOURCES, Sale, SaleLine
from holdfast.core.records.status import OPEN, SUSPENDED
from holdfast.core.records.time import instant_text
from holdfast.core.records.totals import Discount
from holdfast.core.reservations.adoption import adopt, numbers_of
from holdfast.core.reservations.hold_bounds import refuse_crowded_sale
from holdfast.core.reservations.reserve import candidates
from holdfast.core.reservations.sourcing import (
    adjust_hold,
    hold_units,
    move_line,
    renew,
)
from holdfast.core.sales.documents import SaleDocument, describe_sale
from holdfast.core.sales.lines import put_receipt, rated, receipt_if_any, receipt_of
from holdfast.core.sales.order_entry import (
    DiscountRequest,
    FeeRequest,
    LineRequest,
    OpenSale,
    PricedRequest,
    breaks_at,
    discount_of,
    exemption_of,
    fees_alone,
    fees_of,
    line_of,
    new_sale,
    price_of,
    priced_request,
    refuse_discount,
    refuse_old_breaks,
    refuse_wrong_card,
)
from holdfast.core.sales.shipment import borne_of_sale, cut_lines, priced_anew
from holdfast.core.sales.supplier_orders import change_supplier_order, order_from_supplier, withdraw_supplier_orders
from holdfast.core.stock.backorders import seek
from holdfast.core.stock.holds import release_together
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import find_sale, lines_of, product_of_line, refuse_finished_sale, wrong_status

replace = msgspec.structs.replace


class AddLine(Command, frozen=True, gc=False):
    """Put a line into a sale that is open or suspended; with `merge` its units go onto an equal line, if any. By
    `override` a manager lets wait what no stock covers, of a product that denies it."""

    sale_id: str
    line: LineRequest
    merge: bool = False
    override: bool = False


class EditLine(Command, frozen=True, gc=False):
    """Change a line of a sale that is open or suspended; None takes the discount away, or goes back to the catalogue's
    price.

    More units at another price than the catalogue's, under a discount or without tax need the permission to give that.
    By `override` a manager lets those wait that no stock covers.
    After a part went out only two changes are left: the location (code or id) alone, or the quantity alone and only
    smaller.
    """

    sale_id: str
    line_id: str
    quantity: Number | UnsetType = UNSET
    unit_price: str | UnsetType | None = UNSET
    discount: DiscountRequest | UnsetType | None = UNSET
    location: str | UnsetType = UNSET
    override: bool | UnsetType = UNSET


class RemoveLine(Command, frozen=True, gc=False):
    """Take a line out of a sale that is open or suspended."""

    sale_id: str
    line_id: str


class ChangeSale(Command, frozen=True, gc=False):
    """Change a sale that is open or suspended. The customer alone can be changed after a part went out as well.

    `fees` are all its fees: to change one that is no tip, or leave it out, takes the permission to set one.
    """

    sale_id: str
    customer: str | UnsetType | None = UNSET
    discount: DiscountRequest | UnsetType | None = UNSET
    fees: tuple[FeeRequest, ...] | UnsetType = UNSET
    tax_exempt: str | UnsetType | None = UNSET


class SuspendSale(Command, frozen=True, gc=False):
    """Put a cart into the shared queue."""

    sale_id: str


class ResumeSale(Command, frozen=True, gc=False):
    """Take a suspended sale out of the queue."""

    sale_id: str


class CancelSale(Command, frozen=True, gc=False):
    """Give up a sale."""

    sale_id: str


# Opening -------------------------------------------------------------------------------------------------------------


def open_sale(stock: Stock, command: OpenSale) -> SaleDocument:
    """Decide an OpenSale."""
    sale, lines = new_sale(stock, command)
    stock.put_row(sale)
    if command.order_number is not None:
        lines = adopt(stock, sale, lines, numbers_of(sale))
    add_lines(stock, sale, lines, fact=command.fact, override=None if command.fact else command.override)
    seek(stock)
    sale = reprice(stock, sale, new_discount=True)
    stock.tell("SaleOpened", None, sale_facts(stock, sale))
    return describe_sale(stock, sale)


# Lines ---------------------------------------------------------------------------------------------------------------


def add_lines(stock: Stock, sale: Sale, lines: list[SaleLine], *, fact: bool, override: bool | None = None) -> None:
    """Lines of the sale, with their stock held and what others supply ordered if they are a `fact`."""
    stock.each_line(lines, lambda _, line: put_line(stock, sale, line, fact=fact, override=override))
    for line in lines_of(stock, sale) if fact else ():
        if line.kind == "dropship":
            order_from_supplier(stock, sale, line)


def put_line(stock: Stock, sale: Sale, line: SaleLine, *, fact: bool = False, override: bool | None = None) -> None:
    """A new line of the sale, with its stock held; what it has adopted it has."""
    lack = line.open - sum(hold.open for hold in stock.holds_of_line(line.id))
    if line.kind == "stock" and lack:
        line = hold_units(stock, sale, line, lack, fact=fact, override=override)
    stock.put_row(line)


def add_line(stock: Stock, command: AddLine) -> SaleDocument:
    """Decide an AddLine."""
    sale = find_sale(stock, command.sale_id)
    meant = priced_request(stock, command.line)
    _refuse_fixed(stock, sale)
    same = _equal_line(stock, sale, command.line, meant) if command.merge else None
    if same is not None:
        quantity = Decimal(same.quantity + meant.units).scaleb(-meant.product.precision)
        return edit_cart_line(stock, EditLine(sale.id, same.id, quantity=quantity, override=command.override))
    _refuse_given_to_sale(stock, sale)
    known = stock.rows_of_sale(SaleLine, sale.id)
    if len(known) >= LINES_MAX:
        raise invalid_state(f"A sale has at most {LINES_MAX} lines.")
    position = max((line.position for line in known), default=-1) + 1
    [asked] = adopt(stock, sale, [line_of(stock, sale, command.line, meant, position)], numbers_of(sale))
    put_line(stock, sale, asked, override=command.override)
    seek(stock)
    return _changed(stock, priced_anew(sale))


def _equal_line(stock: Stock, sale: Sale, asked: LineRequest, meant: PricedRequest) -> SaleLine | None:
    """The line of the cart that sells the same on the same terms: product, price, discount, lot and location. Each gift
    card has a line of its own."""
    if meant.product.kind == "gift_card":
        return None
    place = None if asked.location is None else stock.catalog.location(asked.location)
    terms = (meant.product.id, meant.price, meant.discount, asked.lot_id, None if place is None else place.id)
    for line in lines_of(stock, sale):
        if terms == (line.product_id, line.unit_price, line.asked, line.lot_id, line.location_id):
            return line
    return None


def edit_cart_line(stock: Stock, command: EditLine) -> SaleDocument:
    """Edit a line of a sale of which nothing has gone out, or move one; `correction.edit_line` decides the command.

    The hold follows the quantity; the line's own units never stand in its way.

    Only a quantity, be it the same again, makes units that lapsed compete again: another price or discount needs no
    stock, renews the holds that there are, and leaves the rest to the completion, which competes for it.
    """
    sale = find_sale(stock, command.sale_id)
    before = line_of_sale(stock, sale, command.line_id)
    line = _edited(stock, before, command)
    only_moved = given(command, "sale_id", "line_id", "override").keys() == {"location"}
    if only_moved:
        refuse_finished_sale(sale)
    else:
        _refuse_fixed(stock, sale)
    if line.quantity > before.quantity:
        refuse_crowded_sale(stock, sale)
    line = _line_held(stock, sale, line, command)
    change_supplier_order(stock, line)
    stock.put_row(line)
    return _changed(stock, sale if only_moved else priced_anew(_with_less(stock, sale, before, line.quantity)))


def _line_held(stock: Stock, sale: Sale, line: SaleLine, command: EditLine) -> SaleLine:
    """The changed line with what it holds: fewer units go back before it moves, more are held where it is then."""
    if line.kind != "stock":
        return line
    fewer = line.open < sum(hold.open for hold in stock.holds_of_line(line.id))
    if command.quantity is not UNSET and fewer:
        line = adjust_hold(stock, sale, line)
    if command.location is not UNSET:
        move_line(stock, line, stock.catalog.locations[str(line.location_id)])
    if command.quantity is not UNSET and not fewer:
        line = adjust_hold(stock, sale, line, override=command.override is True)
    return line


def _edited(stock: Stock, line: SaleLine, command: EditLine) -> SaleLine:
    """The line with the changes, before any stock follows."""
    product = product_of_line(stock, line)
    if not isinstance(command.quantity, UnsetType):
        units = product.units(command.quantity)
        if units is None or units <= 0:
            raise invalid_quantity(product, command.quantity)
        if units > line.quantity:
            _refuse_given_terms(stock, line, command)
        line = replace(line, quantity=units, asked=_discount_left(stock, line, units))
    if not isinstance(command.unit_price, UnsetType):
        price = price_of(stock, product, command.unit_price)
        line = replace(line, unit_price=price, breaks=breaks_at(product, price))
    if not isinstance(command.discount, UnsetType):
        line = replace(line, asked=discount_of(stock, command.discount))
    refuse_wrong_card(product, line.unit_price, line.quantity, discounted=line.asked is not None, code=line.gift_code)
    if not isinstance(command.location, UnsetType):
        [place] = candidates(stock, command.location)
        line = replace(line, location_id=place.id)
    return replace(line, updated_at=stock.now)


def _discount_left(stock: Stock, line: SaleLine, units: int) -> Discount | None:
    """The line's own discount when it has so many units: of an amount its proportion, if the caller may give none."""
    asked = line.asked
    if asked is None or asked.amount is None or units >= line.quantity or stock.caller.may_discount:
        return asked
    return Discount(amount=share_so_far(asked.amount, line.quantity, units))


def _with_less(stock: Stock, sale: Sale, line: SaleLine, units: int) -> Sale:
    """The sale when only so many units of a line are left. Of an amount that was given off the whole sale goes what the
    others bore, if the caller may give none: else what is left could be had for nothing."""
    discount = sale.discount
    if discount is None or discount.amount is None or units >= line.quantity or stock.caller.may_discount:
        return sale
    borne = borne_of_sale(line)
    gone = borne - share_so_far(borne, line.quantity, units)
    return replace(sale, discount=Discount(amount=max(0, discount.amount - gone)))


def _refuse_given_terms(stock: Stock, line: SaleLine, command: EditLine) -> None:
    """Refuse more units at what line or sale keep and the caller could not give them: a price, prices of so many
    together that the catalogue has no more, a discount, an exemption."""
    if command.unit_price is UNSET:
        product = product_of_line(stock, line)
        price_of(stock, product, from_minor(line.unit_price, stock.settings.minor_digits))
        if line.breaks is not None and line.breaks != breaks_at(product, line.unit_price):
            refuse_old_breaks(stock, product)
    if command.discount is UNSET and line.asked is not None:
        refuse_discount(stock)
    _refuse_given_to_sale(stock, find_sale(stock, line.sale_id))


def _refuse_given_to_sale(stock: Stock, sale: Sale) -> None:
    """Refuse more goods under what was given to the whole sale for the goods that were in it."""
    if sale.discount is not None:
        refuse_discount(stock)
    exemption_of(stock, sale.tax_exempt)


def remove_line(stock: Stock, command: RemoveLine) -> SaleDocument:
    """Decide a RemoveLine."""
    sale = find_sale(stock, command.sale_id)
    line = line_of_sale(stock, sale, command.line_id)
    _refuse_fixed(stock, sale)
    release_together(stock, [(hold, hold.open) for hold in stock.holds_of_line(line.id)], "edited")
    withdraw_supplier_orders(stock, sale, line)
    if sale.as_stated:
        sale = cut_lines(stock, sale, {line.id: 0})
        renew(stock, sale)
        return describe_sale(stock, sale)
    stock.put_row(replace(line, removed=True, updated_at=stock.now))
    return _changed(stock, priced_anew(_with_less(stock, sale, line, 0)))


def change_sale(stock: Stock, command: ChangeSale) -> SaleDocument:
    """Decide a ChangeSale: what has gone out fixes the money, not whom it is for."""
    sale = find_sale(stock, command.sale_id)
    if not isinstance(command.customer, UnsetType):
        sale = replace(sale, customer=command.customer)
    if not isinstance(command.discount, UnsetType):
        sale = replace(sale, discount=discount_of(stock, command.discount))
    if not isinstance(command.fees, UnsetType):
        fees = fees_of(stock, command.fees, sale.fees)
        if fees and sale.unfinished and not lines_of(stock, sale):
            raise fees_alone()
        sale = replace(sale, fees=fees)
    if not isinstance(command.tax_exempt, UnsetType):
        sale = replace(sale, tax_exempt=exemption_of(stock, command.tax_exempt))
    only_customer = command.discount is UNSET and command.fees is UNSET and command.tax_exempt is UNSET
    if only_customer:
        refuse_finished_sale(sale)
    else:
        _refuse_fixed(stock, sale)
    if shipped(stock, sale):
        sale = replace(sale, updated_at=max(stock.now, sale.updated_at))
        stock.put_row(sale)
        renew(stock, sale)
        return describe_sale(stock, sale)
    stock.put_row(sale)
    return _changed(stock, sale if only_customer else priced_anew(sale), new_discount=command.discount is not UNSET)


def shipped(stock: Stock, sale: Sale) -> bool:
    """Has a part of it gone out?"""
    return any(part.lines for part in sale.fulfillments) or any(line.fulfilled for line in lines_of(stock, sale))


def _refuse_fixed(stock: Stock, sale: Sale) -> None:
    """Refuse to edit what is finished, or of which a part has gone out."""
    if sale.unfinished and shipped(stock, sale):
        raise invalid_state("A part of the sale went out already: its lines and prices stand.")
    refuse_finished_sale(sale)


def line_of_sale(stock: Stock, sale: Sale, line_id: str) -> SaleLine:
    """A line of the sale by its id."""
    line: SaleLine | None = stock.row(SaleLine, line_id)
    if line is None or line.sale_id != sale.id or line.removed:
        raise not_found(Code.NOT_FOUND, "Line", line_id)
    return line


def _changed(stock: Stock, sale: Sale, *, new_discount: bool = False) -> SaleDocument:
    """Compute the money anew, renew the holds, show the sale."""
    sale = reprice(stock, sale, new_discount=new_discount)
    renew(stock, sale)
    return describe_sale(stock, sale)


def reprice(stock: Stock, sale: Sale, *, new_discount: bool = False) -> Sale:
    """Compute the open sale's money anew and keep it."""
    sale, lines = rated(stock, sale, lines_of(stock, sale))
    receipt = receipt_of(stock, sale, lines, None, new_discount=new_discount)
    return put_receipt(stock, sale, lines, receipt)


def reprice_if_it_can_be(stock: Stock, sale: Sale) -> Sale:
    """`reprice`, or the sale as it stands where today's rates would take its amounts out of bounds."""
    priced_sale, lines = rated(stock, sale, lines_of(stock, sale))
    receipt = receipt_if_any(stock, priced_sale, lines)
    return sale if receipt is None else put_receipt(stock, priced_sale, lines, receipt)


# The queue -----------------------------------------------------------------------------------------------------------


def suspend_sale(stock: Stock, command: SuspendSale) -> SaleDocument:
    """Decide a SuspendSale: the holds stay, and end no more by themselves."""
    sale = find_sale(stock, command.sale_id)
    if sale.status != OPEN:
        raise wrong_status(sale)
    return describe_sale(stock, suspend(stock, sale))


def suspend(stock: Stock, sale: Sale) -> Sale:
    """Put an open sale into the queue."""
    sale = replace(sale, status=SUSPENDED, updated_at=max(stock.now, sale.updated_at))
    stock.put_row(sale)
    renew(stock, sale)
    stock.tell("SaleSuspended", None, sale_facts(stock, sale))
    return sale


def resume_sale(stock: Stock, command: ResumeSale) -> SaleDocument:
    """Decide a ResumeSale: the second cashier finds it open already.

    Its holds get a new time, as those of any cart; an order of a channel is promised to its customer without an end.
    """
    sale = find_sale(stock, command.sale_id)
    if sale.status != SUSPENDED:
        raise wrong_status(sale)
    sale = replace(
        sale,
        status=OPEN,
        actor=stock.caller.actor,
        session_id=stock.caller.session_id or sale.session_id,
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(sale)
    if sale.source in NUMBERED_SOURCES:
        renew(stock, sale)
    stock.tell("SaleResumed", None, sale_facts(stock, sale))
    return describe_sale(stock, sale)


def sale_facts(stock: Stock, sale: Sale) -> dict[str, Any]:
    """What an event says of a sale."""
    return {
        "sale_id": sale.id,
        "number": sale.number,
        "order_number": sale.order_number,
        "source": sale.source,
        "store_id": sale.store_id,
        "status": sale.status,
        "total": from_minor(sale.total, stock.settings.minor_digits),
        "timestamp": instant_text(stock.now),
    }


DECISIONS = (
    Decision(OpenSale, open_sale, Permission.SELL),
    Decision(AddLine, add_line, Permission.SELL),
    Decision(RemoveLine, remove_line, Permission.SELL),
    Decision(ChangeSale, change_sale, Permission.SELL),
    Decision(SuspendSale, suspend_sale, Permission.SELL),
    Decision(ResumeSale, resume_sale, Permission.SELL),
)
