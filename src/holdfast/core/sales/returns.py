"""Returns: goods come back and money goes back, line by line and in any number of parts (docs/how-to/sell.md).

    bought 3 of one lot; 1 comes back good          -> it lies in its lot again, at the cost that it took along
    2 come back damaged                             -> they lie in quarantine, and their cost is lost

Never more comes back than went out. `good` units go back to the lot that they came from, at the cost that they took
along, and serve the holds that wait; `damaged` ones go to quarantine worth nothing, their cost to shrinkage; `none` go
nowhere. How much money goes back, and by which method, is in `refunds`. Without a sale (no receipt) the
goods become a lot at the product's last cost, and the tax in the refund is that of today's rates in the store.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Condition, PayMethod, Text
from holdfast.core.records.number import AMOUNT_MAX, Number, from_minor, share_of_value, to_minor
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.proportion import allocate, half_up
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
from holdfast.core.records.tax import Taxable, part_of, tax_shares
from holdfast.core.records.time import instant_text
from holdfast.core.records.wants import SaleById
from holdfast.core.sales.gift_cards import GiftCard, take_back_cards
from holdfast.core.sales.license_keys import withdraw
from holdfast.core.sales.lines import rules_of
from holdfast.core.sales.refunds import LineRefunds, RefundRequest, Way, pay_back, returns_before
from holdfast.core.sales.register import open_session_of
from holdfast.core.sales.return_record import KeptLine, Return, ReturnDocument, return_document
from holdfast.core.stock.backorders import serve_waiting
from holdfast.core.stock.expiry import sellable_until
from holdfast.core.stock.lots import put_in
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import find_sale, lines_of, product_of_line, wrong_status
from holdfast.core.warehouse.receiving import surplus_lot

replace = msgspec.structs.replace


class ReturnedLine(msgspec.Struct, frozen=True, gc=False):
    """Units of a sale's line that come back; `code` says which gift card does."""

    line_id: str
    quantity: Number
    condition: Condition = "good"
    code: str | None = None


class BlindLine(msgspec.Struct, frozen=True, gc=False):
    """Units that come back without a sale; `unit_price` (decimal string) is what is refunded for one, tax included.

    `as_priced`: it is a price like those of the catalogue. Where these have no tax in them, the tax is refunded on top.
    """

    product: str
    quantity: Number
    unit_price: str
    condition: Condition = "good"
    as_priced: bool | UnsetType = UNSET


class ReturnSale(Command, frozen=True, gc=False):
    """Goods of a sale come back; the refund goes out by `method`, or as `refunds` say. Without `fees` the shop keeps
    those."""

    sale_id: str
    lines: tuple[ReturnedLine, ...]
    method: PayMethod = "cash"
    refunds: tuple[RefundRequest, ...] | None = None
    code: str | None = None
    fees: bool = True


class MoneyOff(Command, frozen=True, gc=False):
    """A completed sale was too dear: `amount` (decimal string) of it is given off, and nothing comes back."""

    sale_id: str
    amount: str
    reason: Text
    method: PayMethod = "cash"
    refunds: tuple[RefundRequest, ...] | None = None
    code: str | None = None


class ReturnBlind(Command, frozen=True, gc=False):
    """Goods come back without a sale."""

    store_id: str
    lines: tuple[BlindLine, ...]
    method: PayMethod = "cash"
    refunds: tuple[RefundRequest, ...] | None = None
    code: str | None = None


# With a sale ---------------------------------------------------------------------------------------------------------


def return_sale(stock: Stock, command: ReturnSale) -> ReturnDocument:
    """Decide a ReturnSale."""
    brought = bring_back(stock, command.sale_id, command.lines, fees=command.fees)
    made = brought.pay_back(stock, Way(command.method, command.refunds, command.code))
    return described(stock, made)


class Brought(msgspec.Struct, frozen=True, gc=False):
    """Goods of a sale that came back, before their money goes back: `exact` minor units are due for them."""

    sale: Sale
    cause: Cause
    store_id: str | None
    kept: list[KeptLine]
    before: list[Return]

    @property
    def exact(self) -> int:
        """What is due to the customer, what is owed of the sale not taken off."""
        return sum(line.refund for line in self.kept)

    @property
    def credit(self) -> int:
        """What the customer can have in exchange: what is owed of the sale is taken off."""
        return self.exact - min(self.exact, self.sale.owed)

    def pay_back(self, stock: Stock, way: Way) -> Return:
        """Their money goes back."""
        return pay_back(stock, self.cause, self.sale, self.store_id, self.kept, self.before, way)


def bring_back(stock: Stock, sale_id: str, returned: Sequence[ReturnedLine], *, fees: bool = True) -> Brought:
    """Goods of a completed sale are taken back; whoever calls says how their money goes back."""
    sale = _returnable(stock, sale_id)
    asked = _asked(stock, sale, returned)
    if sale.status != COMPLETED:
        raise wrong_status(sale)
    _refuse_excess(stock, sale, asked)
    session = open_session_of(stock)
    lines = {line.id: line for line in lines_of(stock, sale)}
    stock.lots_by_id(taken.lot_id for part in asked for taken in lines[part.line_id].taken)
    before = returns_before(stock, sale)
    refunds = LineRefunds(sale, list(lines.values()), before, rules_of(stock).cash_rounding, fees=fees)
    cause = Cause(stock.caller.actor, ref_id=stock.new_id(), order_number=sale.order_number, source=sale.source)
    kept = stock.each(asked, lambda _, part: _take_back(stock, sale, cause, part, refunds))
    return Brought(sale, cause, sale.store_id if session is None else session.store_id, kept, before)


def described(stock: Stock, made: Return) -> ReturnDocument:
    """The public shape of a return."""
    products = {line.product_id: stock.catalog.product(line.product_id) for line in made.lines}
    known = {name: product for name, product in products.items() if product is not None}
    cards = [stock.row(GiftCard, part.card) for part in made.parts if part.card is not UNSET]
    codes = {card.id: card.code for card in cards if card is not None}
    return return_document(made, known, stock.settings.minor_digits, codes)


def give_money_off(stock: Stock, command: MoneyOff) -> ReturnDocument:
    """Decide a MoneyOff: every line bears its proportion of what is left of it, revenue and tax.

    It is a discount that comes late, so it needs the same permission.
    """
    if not stock.caller.may_discount:
        raise Refused(Code.FORBIDDEN, "Money off needs prices:discount.", {"override_required": "staff"})
    sale = _returnable(stock, command.sale_id)
    if sale.status != COMPLETED:
        raise wrong_status(sale)
    digits = stock.settings.minor_digits
    amount = to_minor(command.amount, digits)
    if amount is None or amount <= 0:
        raise Refused(Code.INVALID_AMOUNT, "amount is not an amount of money above zero.", {"field": "amount"})
    session = open_session_of(stock)
    lines = lines_of(stock, sale)
    stock.catalog.know_products(line.product_id for line in lines)
    before = returns_before(stock, sale)
    coin = rules_of(stock).cash_rounding
    refunds = LineRefunds(sale, lines, before, coin)
    left = [refunds.left(line) for line in lines]
    if amount > sum(due for due, _ in left):
        words = "That is more than what is left of the sale."
        numbers = {"field": "amount", "available": from_minor(sum(due for due, _ in left), digits)}
        raise Refused(Code.INVALID_AMOUNT, words, numbers)
    kept = []
    for line, (due, due_tax), part in zip(lines, left, allocate(amount, [due for due, _ in left]), strict=True):
        if part:
            tax = half_up(due_tax * part, due)
            taxes = refunds.shares(line)
            taxes = part_of(taxes, tax, part - tax, line.due - sum(share.tax for share in taxes))
            tax = tax if taxes else 0
            kept.append(
                KeptLine(
                    line_id=line.id,
                    product_id=line.product_id,
                    units=0,
                    condition="none",
                    refund=part,
                    tax=tax,
                    coin=coin,
                    taxes=taxes,
                )
            )
    cause = Cause(stock.caller.actor, ref_id=stock.new_id(), order_number=sale.order_number, source=sale.source)
    store_id = sale.store_id if session is None else session.store_id
    way = Way(command.method, command.refunds, command.code, reason=command.reason)
    return described(stock, pay_back(stock, cause, sale, store_id, kept, before, way))


class _Part(msgspec.Struct, frozen=True, gc=False):
    line_id: str
    units: int
    condition: str
    code: str | None


def _returnable(stock: Stock, sale_id: str) -> Sale:
    """Any sale of the organisation can be brought back to any of its stores' tills; others act in their stores."""
    if stock.caller.session_id is None:
        return find_sale(stock, sale_id)
    stock.require(SaleById(sale_id))
    sale = stock.row(Sale, sale_id)
    if sale is None:
        raise not_found(Code.SALE_NOT_FOUND, "Sale", sale_id)
    return sale


def _asked(stock: Stock, sale: Sale, returned: Sequence[ReturnedLine]) -> list[_Part]:
    if not returned:
        raise Refused(Code.INVALID_REQUEST, "Nothing comes back.", {"field": "lines"})
    lines = {line.id: line for line in lines_of(stock, sale)}
    parts = []
    for asked in returned:
        line = lines.get(asked.line_id)
        if line is None:
            raise not_found(Code.NOT_FOUND, "Line", asked.line_id)
        product = product_of_line(stock, line)
        units = product.units(asked.quantity)
        if units is None or units <= 0:
            raise invalid_quantity(product, asked.quantity)
        parts.append(_Part(line.id, units, asked.condition, asked.code))
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


def _take_back(stock: Stock, sale: Sale, cause: Cause, part: _Part, refunds: LineRefunds) -> KeptLine:
    line = stock.row(SaleLine, part.line_id)
    assert line is not None
    taken, value, cards = line.taken, 0, 0
    if line.kind == "gift_card":
        assert cause.ref_id is not None
        cards = take_back_cards(stock, sale, line, part.units, cause.ref_id, part.code)
    if line.kind == "stock":
        taken, value = _restock(stock, line, cause, part)
    with stock.consequences():  # a receipt is good in every store: the sale may be another one's
        after = replace(line, returned=line.returned + part.units, taken=taken, updated_at=stock.now)
        stock.put_row(withdraw(stock, after, part.units))
    return refunds.take(line, part.units, part.condition, value if part.condition == "damaged" else 0, cards)


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
    way = Way(command.method, command.refunds, command.code)
    return described(stock, pay_back(stock, cause, None, store.id, kept, (), way))


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
    rules = rules_of(stock)
    included = asked.as_priced is not True or rules.prices_include_tax
    rates = stock.catalog.rates(product.tax_class, store_id)
    amount = half_up(price * units, 10**product.precision)
    [shares] = tax_shares([Taxable(amount, rates)], included=included, rounding="line")
    tax = sum(share.tax for share in shares)
    refund = amount if included else amount + tax
    if refund > AMOUNT_MAX:
        raise Refused(Code.INVALID_AMOUNT, "The refund is out of bounds.", {"product_id": product.id})
    loss = 0
    if not product.unlimited and not product.dropship and asked.condition != "none":
        lot, value = surplus_lot(stock, product, units, "return", None)
        _put_back(stock, cause, product.id, lot, place, units, value, condition=asked.condition)
        loss = value if asked.condition == "damaged" else 0
    return KeptLine(
        line_id=None,
        product_id=product.id,
        units=units,
        condition=asked.condition,
        refund=refund,
        tax=tax,
        loss=loss,
        coin=rules.cash_rounding,
        taxes=shares,
    )


DECISIONS = (
    Decision(ReturnSale, return_sale, Permission.SELL),
    Decision(MoneyOff, give_money_off, Permission.SELL),
    Decision(ReturnBlind, return_blind, Permission.DISCOUNT),
)
