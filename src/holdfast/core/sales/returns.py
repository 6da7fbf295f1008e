"""Returns: goods come back and money goes back, line by line and in any number of parts (docs/how-to/sell.md).

    bought 3 for 10.00 in all; return 1, then 2     -> 3.34, then 6.66: together exactly what was paid
    the same in cash, the smallest coin 0.05        -> 3.35, then 6.65: the nearest coin of what is due so far
    2.5 kg for 60.00; 1 kg comes back               -> 24.00: a part refunds its proportion

Never more comes back than went out. `good` units go back to the lot that they came from, at the cost that they took
along, and serve the holds that wait; `damaged` ones go to quarantine worth nothing, their cost to shrinkage; `none` go
nowhere. A refund is taken from what was kept of the sale, never computed from prices. A method gives back at most what
it took: what was paid by card is paid out in cash only by who has `returns:override`. Without a sale (no receipt) the
goods become a lot at the product's last cost, and the tax in the refund is that of today's rates in the store.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Condition, TenderMethod
from holdfast.core.records.number import AMOUNT_MAX, Number, from_minor, share_of_value, to_minor
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.proportion import allocate, cash_rounded, half_up, share_still_due, units_share
from holdfast.core.records.rejection import (
    Code,
    Refused,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.records.sale import Sale, SaleLine, Taken
from holdfast.core.records.status import ACTIVE, COMPLETED
from holdfast.core.records.stock import Lot
from holdfast.core.records.tax import Taxable, TaxShare, by_rate, negative, tax_shares
from holdfast.core.records.time import instant_text
from holdfast.core.records.totals import kept_by_method
from holdfast.core.records.wants import ReturnsOfSale, SaleById
from holdfast.core.sales.license_keys import withdraw
from holdfast.core.sales.lines import rules_of
from holdfast.core.sales.register import SessionTotals, add_to_session, open_session_of
from holdfast.core.sales.return_record import KeptLine, Return, ReturnDocument, return_document
from holdfast.core.sales.taxes import refundable_taxes
from holdfast.core.stock.backorders import serve_waiting
from holdfast.core.stock.expiry import sellable_until
from holdfast.core.stock.journal import (
    COST_OF_GOODS,
    RETURNS,
    ROUNDING,
    SHRINKAGE,
    TIPS,
    Line,
    paid_by,
    stage_money,
    tax_payable,
)
from holdfast.core.stock.lots import put_in
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import find_sale, lines_of, product_of_line, wrong_status
from holdfast.core.warehouse.receiving import surplus_lot

replace = msgspec.structs.replace


class ReturnedLine(msgspec.Struct, frozen=True, gc=False):
    """Units of a sale's line that come back."""

    line_id: str
    quantity: Number
    condition: Condition = "good"


class BlindLine(msgspec.Struct, frozen=True, gc=False):
    """Units that come back without a sale; `unit_price` (decimal string) is what is refunded for one, tax included."""

    product: str
    quantity: Number
    unit_price: str
    condition: Condition = "good"


class ReturnSale(Command, frozen=True, gc=False):
    """Goods of a sale come back; the refund goes out by `method`."""

    sale_id: str
    lines: tuple[ReturnedLine, ...]
    method: TenderMethod


class ReturnBlind(Command, frozen=True, gc=False):
    """Goods come back without a sale."""

    store_id: str
    lines: tuple[BlindLine, ...]
    method: TenderMethod


# With a sale ---------------------------------------------------------------------------------------------------------


def return_sale(stock: Stock, command: ReturnSale) -> ReturnDocument:
    """Decide a ReturnSale."""
    sale = _returnable(stock, command.sale_id)
    asked = _asked(stock, sale, command)
    if sale.status != COMPLETED:
        raise wrong_status(sale)
    _refuse_excess(stock, sale, asked)
    session = open_session_of(stock)
    lines = {line.id: line for line in lines_of(stock, sale)}
    stock.lots_by_id(taken.lot_id for part in asked for taken in lines[part.line_id].taken)
    before = _returns_before(stock, sale)
    refunds = _Refunds(sale, list(lines.values()), before, rules_of(stock).cash_rounding)
    return_id = stock.new_id()
    cause = Cause(stock.caller.actor, ref_id=return_id, order_number=sale.order_number, source=sale.source)
    kept = stock.each(asked, lambda _, part: _take_back(stock, cause, part, refunds))
    store_id = sale.store_id if session is None else session.store_id
    carried = -sum(made.rounding for made in before if made.method == "cash")
    return _finish(stock, cause, command.method, sale, store_id, kept, carried, before)


def _returns_before(stock: Stock, sale: Sale) -> list[Return]:
    """The returns of the sale so far."""
    if not any(line.returned for line in lines_of(stock, sale)):
        return []
    stock.require(ReturnsOfSale(sale.id))
    return stock.rows_of_sale(Return, sale.id)


class _Refunds:
    """What is refunded for units of the lines of a sale: what is due so far, less what was refunded for the line.

    The tax of a line is its own and its share of the fees', as what was due for it has a share of the fees.
    """

    def __init__(self, sale: Sale, lines: list[SaleLine], before: list[Return], coin: int) -> None:
        self._shares = refundable_taxes(sale, lines)
        borne = allocate(sale.tips, [line.total for line in lines]) if sale.tips else []
        self._tips = {line.id: tip for line, tip in zip(lines, borne, strict=False)}
        self._given: dict[str | None, tuple[int, int]] = {}
        self._coin = coin
        for made in before:
            for kept in made.lines:
                self._count(kept.line_id, kept.refund, kept.tax)

    def _count(self, line_id: str | None, refund: int, tax: int) -> None:
        given = self._given.get(line_id, (0, 0))
        self._given[line_id] = (given[0] + refund, given[1] + tax)

    def take(self, line: SaleLine, units: int, condition: str, loss: int) -> KeptLine:
        """The next `units` of a line come back: what is kept of it, counted for those after it."""
        reached = line.returned + units
        refunded, taxed = self._given.get(line.id, (0, 0))
        refund = share_still_due(line.due, line.quantity, reached, refunded)
        shares = self._shares[line.id]
        tax = share_still_due(sum(share.tax for share in shares), line.quantity, reached, taxed)
        self._count(line.id, refund, tax)
        weights = [share.tax for share in shares]
        taxes = tuple(
            TaxShare(share.name, share.rate, units_share(share.net, line.quantity, line.returned, units), now - then)
            for share, now, then in zip(shares, allocate(taxed + tax, weights), allocate(taxed, weights), strict=True)
        )
        return KeptLine(
            line_id=line.id,
            product_id=line.product_id,
            units=units,
            condition=condition,
            refund=refund,
            tax=tax,
            loss=loss,
            coin=self._coin,
            taxes=taxes,
            tip=units_share(self._tips[line.id], line.quantity, line.returned, units) if self._tips else UNSET,
        )


class _Part(msgspec.Struct, frozen=True, gc=False):
    line_id: str
    units: int
    condition: str


def _returnable(stock: Stock, sale_id: str) -> Sale:
    """Any sale of the organisation can be brought back to any of its stores' tills; others act in their stores."""
    if stock.caller.session_id is None:
        return find_sale(stock, sale_id)
    stock.require(SaleById(sale_id))
    sale = stock.row(Sale, sale_id)
    if sale is None:
        raise not_found(Code.SALE_NOT_FOUND, "Sale", sale_id)
    return sale


def _asked(stock: Stock, sale: Sale, command: ReturnSale) -> list[_Part]:
    if not command.lines:
        raise Refused(Code.INVALID_REQUEST, "Nothing comes back.", {"field": "lines"})
    lines = {line.id: line for line in lines_of(stock, sale)}
    parts = []
    for asked in command.lines:
        line = lines.get(asked.line_id)
        if line is None:
            raise not_found(Code.NOT_FOUND, "Line", asked.line_id)
        product = product_of_line(stock, line)
        units = product.units(asked.quantity)
        if units is None or units <= 0:
            raise invalid_quantity(product, asked.quantity)
        parts.append(_Part(line.id, units, asked.condition))
    return parts


def _refuse_excess(stock: Stock, sale: Sale, parts: list[_Part]) -> None:
    """Refuse more than went out and did not come back, of all lines of the request together; each one is named."""
    wanted: dict[str, int] = {}
    for part in parts:
        wanted[part.line_id] = wanted.get(part.line_id, 0) + part.units

    def test(_: int, line: SaleLine) -> None:
        units, left = wanted.get(line.id, 0), line.fulfilled - line.returned
        if units > left:
            product = product_of_line(stock, line)
            raise Refused(
                Code.RETURN_EXCEEDS_SALE,
                f"{product.number(units)} of {product.sku} cannot come back: {product.number(left)} can.",
                {
                    "product_id": product.id,
                    "requested": product.number(units),
                    "available": product.number(left),
                },
            )

    stock.each_line(lines_of(stock, sale), test)


def _take_back(stock: Stock, cause: Cause, part: _Part, refunds: _Refunds) -> KeptLine:
    line = stock.row(SaleLine, part.line_id)
    assert line is not None
    taken, value = line.taken, 0
    if line.kind == "stock":
        taken, value = _restock(stock, line, cause, part)
    with stock.consequences():  # a receipt is good in every store: the sale may be another one's
        after = replace(line, returned=line.returned + part.units, taken=taken, updated_at=stock.now)
        stock.put_row(withdraw(stock, after, part.units))
    return refunds.take(line, part.units, part.condition, value if part.condition == "damaged" else 0)


def _restock(stock: Stock, line: SaleLine, cause: Cause, part: _Part) -> tuple[tuple[Taken, ...], int]:
    """Bring the units back to the lots that they came from, in the order in which they left them, and their value."""
    left = part.units
    back = 0
    changed = []
    came: list[tuple[Lot, Location, int, int]] = []
    for taken in line.taken:
        units = min(left, taken.units - taken.returned_units)
        if not units:
            changed.append(taken)
            continue
        value = share_of_value(taken.value - taken.returned_value, taken.units - taken.returned_units, units)
        lot = stock.lots[taken.lot_id]
        origin = _home_of(stock, stock.catalog.locations[taken.location_id])
        came.append((lot, origin, units, value))
        changed.append(
            replace(
                taken,
                returned_units=taken.returned_units + units,
                returned_value=taken.returned_value + value,
            )
        )
        left -= units
        back += value
    assert left == 0, (line, part)
    stock.each(came, lambda _, lot_part: _put_back(stock, cause, line.product_id, *lot_part, condition=part.condition))
    return tuple(changed), back


def _home_of(stock: Stock, source: Location) -> Location:
    """Where returned goods lie: whence they came, or, brought to another store's till or a place that is no more, the
    first selling location of the store that has them now. A store without one puts them in quarantine; where the store
    is no more, they come to the first selling location of all."""
    session = open_session_of(stock)
    store_id = source.store_id if session is None else session.store_id
    if source.active and source.sellable and source.store_id == store_id:
        return source
    order = stock.catalog.sellable_places
    corners = [place for place in stock.catalog.locations.values() if place.active and place.kind == "quarantine"]
    corners.sort(key=lambda place: (place.store_id != store_id, place.priority, place.code))
    places = order(frozenset((store_id,)), online=False)
    if not places and not stock.catalog.stores[store_id].active:
        places = order(None, online=False)
    return (places or corners)[0]


def _put_back(
    stock: Stock, cause: Cause, product_id: str, lot: Lot, place: Location, units: int, value: int, *, condition: str
) -> None:
    if condition == "none":
        return
    until = sellable_until(stock, lot, place)
    if condition == "damaged" or lot.status != ACTIVE or (until is not None and until <= stock.now):
        place = stock.catalog.quarantine_of(place)
    level = stock.open_level(product_id, place.id)
    product = stock.product_of(level)
    if condition == "damaged":
        put_in(stock, replace(cause, reason="damaged"), level, lot, units, 0, "RETURN")
    else:
        put_in(stock, cause, level, lot, units, value, "RETURN")
    serve_waiting(stock, level, stock.caller.actor)
    stock.tell(
        "StockReturned",
        product.id,
        {
            "product_id": product.id,
            "sku": product.sku,
            "location": place.code,
            "store_id": place.told_to,
            "quantity": product.number(units),
            "lot_id": lot.id,
            "lot_code": lot.code,
            "condition": condition,
            "return_id": cause.ref_id,
            "timestamp": instant_text(stock.now),
        },
    )


# Without a sale ------------------------------------------------------------------------------------------------------


def return_blind(stock: Stock, command: ReturnBlind) -> ReturnDocument:
    """Decide a ReturnBlind: the caller's role says whether they may."""
    if not stock.caller.may_return_blind:
        raise Refused(Code.FORBIDDEN, "A return without its sale needs a role that may take one.")
    if not command.lines:
        raise Refused(Code.INVALID_REQUEST, "Nothing comes back.", {"field": "lines"})
    store = stock.catalog.store(command.store_id)
    if store is None:
        raise not_found(Code.STORE_NOT_FOUND, "Store", command.store_id)
    stores = stock.caller.stores
    if stores is not None and store.id not in stores:
        raise Refused(Code.FORBIDDEN, "You may not act in that store.")
    session = open_session_of(stock)
    places = stock.catalog.sellable_places(frozenset((store.id,)), online=False)
    if not places:
        raise invalid_state("The store has no selling location to take goods back to.")
    return_id = stock.new_id()
    cause = Cause(stock.caller.actor, ref_id=return_id, source="pos" if session else "manual")
    kept = stock.each_line(command.lines, lambda _, line: _take_blindly(stock, cause, store.id, places[0], line))
    return _finish(stock, cause, command.method, None, store.id, kept)


def _take_blindly(stock: Stock, cause: Cause, store_id: str, place: Location, asked: BlindLine) -> KeptLine:
    product = stock.catalog.product(asked.product)
    if product is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", asked.product)
    units = product.units(asked.quantity)
    if units is None or units <= 0:
        raise invalid_quantity(product, asked.quantity)
    price = to_minor(asked.unit_price, stock.settings.minor_digits)
    if price is None or price < 0:
        raise Refused(Code.INVALID_AMOUNT, "unit_price is not an amount of money.", {"product_id": product.id})
    refund = half_up(price * units, 10**product.precision)
    if refund > AMOUNT_MAX:
        raise Refused(Code.INVALID_AMOUNT, "The refund is out of bounds.", {"product_id": product.id})
    loss = 0
    if not product.unlimited and not product.dropship and asked.condition != "none":
        lot, value = surplus_lot(stock, product, units, "return", None)
        _put_back(stock, cause, product.id, lot, place, units, value, condition=asked.condition)
        loss = value if asked.condition == "damaged" else 0
    rates = stock.catalog.rates(product.tax_class, store_id)
    [shares] = tax_shares([Taxable(refund, rates)], included=True, rounding="line")
    tax, coin = sum(share.tax for share in shares), rules_of(stock).cash_rounding
    return KeptLine(
        line_id=None,
        product_id=product.id,
        units=units,
        condition=asked.condition,
        refund=refund,
        tax=tax,
        loss=loss,
        coin=coin,
        taxes=shares,
    )


# Both ----------------------------------------------------------------------------------------------------------------


def _handed_out(stock: Stock, method: str, exact: int, carried: int) -> int:
    """The refund in minor units: exact, or in cash the nearest coin of all that was due in cash so far.

    `carried` is what earlier cash refunds of the sale left open or (negative) gave beyond what was due: so parts never
    drift away from the whole, and where coins were paid they come back to the coin.
    """
    if method != "cash":
        return exact
    return max(0, cash_rounded(exact + carried, rules_of(stock).cash_rounding))


def _refuse_cash(stock: Stock, refund: int) -> None:
    """Refuse cash that is not in the drawer."""
    session = open_session_of(stock)
    if session is not None and refund > session.expected:
        raise invalid_state("There is not that much cash in the drawer.")


def _refuse_method(stock: Stock, sale: Sale, method: str, exact: int, before: Sequence[Return]) -> None:
    """Refuse a refund by a method that took less than it would give back: card money does not leave as cash.

    Who has `returns:override` may hand it out otherwise. Of a sale that was not paid nothing leaves (see `_finish`).
    Amounts are compared before cash is rounded to coins, so that another smallest coin since then changes nothing.
    """
    if stock.caller.may_refund_otherwise or not sale.paid:
        return
    took = kept_by_method(sale.payments, sale.change).get(method, 0)
    left = max(0, took - sum(made.refund_total - made.rounding for made in before if made.method == method))
    if exact <= left:
        return
    digits = stock.settings.minor_digits
    raise Refused(
        Code.PAYMENT_MISMATCH,
        f"{method} can give back {from_minor(left, digits)} of this sale: more than it took needs returns:override.",
        {
            "field": "refund",
            "requested": from_minor(exact, digits),
            "available": from_minor(left, digits),
            "override_required": "manager",
        },
    )


def _finish(
    stock: Stock,
    cause: Cause,
    method: str,
    sale: Sale | None,
    store_id: str | None,
    kept: list[KeptLine],
    carried: int = 0,
    before: Sequence[Return] = (),
) -> ReturnDocument:
    """Book the refund, cash with what was `carried` from refunds before, tell the drawer, keep the return."""
    if sale is not None and not sale.paid:
        method = "other"  # nothing was paid: the refund is set against what is owed, and no money goes out
    exact = sum(line.refund for line in kept)
    refund = _handed_out(stock, method, exact, carried)
    if sale is not None:
        _refuse_method(stock, sale, method, exact, before)
    if method == "cash":
        _refuse_cash(stock, refund)
    taxes = negative(by_rate([share for line in kept for share in line.tax_shares]))
    tax, tips = sum(line.tax for line in kept), sum(line.tip for line in kept if line.tip is not UNSET)
    loss = sum(line.loss for line in kept)
    assert cause.ref_id is not None
    name = "without a sale" if sale is None else f"of sale {sale.number}"
    money: list[Line] = [
        paid_by(method, -refund),
        *tax_payable(taxes),
        (TIPS, tips),
        (RETURNS, exact - tax - tips),
        (ROUNDING, refund - exact),
        (SHRINKAGE, loss),
        (COST_OF_GOODS, -loss),
    ]
    stage_money(stock, "RETURN", cause.ref_id, f"Return {name}", money, store_id)
    made = Return(
        id=cause.ref_id,
        sale_id=None if sale is None else sale.id,
        store_id=store_id,
        session_id=stock.caller.session_id,
        method=method,
        refund_total=refund,
        lines=tuple(kept),
        actor=stock.caller.actor,
        created_at=stock.now,
    )
    stock.put_row(made)
    if stock.caller.session_id is not None:
        cash = refund if method == "cash" else 0
        add_to_session(stock, SessionTotals(cash_refunds=cash, by_method={method: -refund}, returns=1, taxes=taxes))
    digits = stock.settings.minor_digits
    stock.tell(
        "SaleReturned",
        None,
        {
            "return_id": made.id,
            "sale_id": made.sale_id,
            "store_id": made.store_id,
            "order_number": cause.order_number,
            "refund_total": from_minor(refund, digits),
            "timestamp": instant_text(stock.now),
        },
    )
    products = {line.product_id: stock.catalog.product(line.product_id) for line in kept}
    return return_document(made, {name: product for name, product in products.items() if product is not None}, digits)


DECISIONS = (
    Decision(ReturnSale, return_sale, Permission.SELL),
    Decision(ReturnBlind, return_blind, Permission.DISCOUNT),
)
