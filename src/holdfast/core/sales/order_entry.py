"""Order entry: what is asked for becomes a sale and its lines, in inner units, before any stock follows.

    2 mugs, 10% off      -> a line of 2 at the catalogue's price, if the caller may give discounts
    2 mugs at 5.00       -> PRICE_MISMATCH, unless they may set prices
    2 of no price        -> PRICE_MISMATCH, unless they may set prices: at theirs, or at 0
    2 of an inactive one -> INVALID_STATE; what is in a cart already can still be sold
    fees without a line  -> INVALID_REQUEST

Lines are tested in this order: unknown names, senseless values, inactive products. A refusal names every line that the
same test refuses. An order that was taken elsewhere is a fact: it may be of an inactive product, and without any price
it is 0.

See docs/how-to/sell.md.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET

from holdfast.core.records.command import Command
from holdfast.core.records.number import ASIDE_MAX, Number, exact_scaled, from_minor, to_minor
from holdfast.core.records.product import PriceBreak, Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    invalid_quantity,
    malformed,
    not_found,
)
from holdfast.core.records.sale import (
    LINES_MAX,
    NUMBER_DIGITS,
    NUMBERED_SOURCES,
    OWN_NUMBER,
    Counter,
    LineKind,
    Sale,
    SaleFee,
    SaleLine,
    is_own_number,
)
from holdfast.core.records.status import OPEN, SUSPENDED
from holdfast.core.records.totals import PERCENT_WHOLE, Discount
from holdfast.core.records.wants import HoldsOfTarget, LooseHoldsOf, SaleById, SaleOfOrder
from holdfast.core.reservations.order_names import refuse_source
from holdfast.core.reservations.reserve import candidates, not_sold_any_more
from holdfast.core.sales.gift_cards import CARDS_MAX, free_code, read_code
from holdfast.core.sales.order_facts import Description, with_description
from holdfast.core.stock.allocation import ask_for_named_lots, lot_exists
from holdfast.core.stock.posting import Stock


class DiscountRequest(msgspec.Struct, frozen=True, gc=False):
    """A discount as it was asked for: percent 0 to 100 with up to 4 places, or an amount as a decimal string."""

    percent: Number | None = None
    amount: str | None = None


class FeeRequest(msgspec.Struct, frozen=True, gc=False):
    """A fee as it was asked for; `amount` a decimal string. A `tip` is for the staff: everybody may take one."""

    name: str
    amount: str
    tax_class: str | None = None
    tip: bool = False


class LineRequest(msgspec.Struct, frozen=True, gc=False):
    """What shall be on a line; `unit_price` a decimal string, the catalogue's when it is None. `code` is that of the
    printed gift card that is sold; without it one is made."""

    product: str
    quantity: Number
    unit_price: str | None = None
    discount: DiscountRequest | None = None
    lot_id: str | None = None
    location: str | None = None
    code: str | None = None


class OpenSale(Command, frozen=True, gc=False):
    """Begin a sale, with lines or without.

    With `fact` it is an order that a channel has taken: suspended at once, whatever stock says; the shortfall waits.
    By `override` a manager lets wait what no stock covers.
    `external_id` is another number of the order at its source. `tax_exempt` is the reason for which it has no tax.
    `said` is all that an order from elsewhere says of itself; `lines` are then those of its lines whose product is
    known.
    """

    store_id: str | None = None
    customer: str | None = None
    source: str = "manual"
    order_number: str | None = None
    lines: tuple[LineRequest, ...] = ()
    discount: DiscountRequest | None = None
    fees: tuple[FeeRequest, ...] = ()
    fact: bool = False
    external_id: str | None = None
    tax_exempt: str | None = None
    said: Description | None = None
    override: bool = False


def new_sale(stock: Stock, command: OpenSale, *, numbered: bool = True) -> tuple[Sale, list[SaleLine]]:
    """A sale with its number (a quote needs none, and does not wait for the counter) and its lines; nothing is kept."""
    if len(command.lines) > LINES_MAX and not command.fact:
        raise Refused(Code.INVALID_REQUEST, f"A sale has at most {LINES_MAX} lines.", {"field": "lines"})
    store_id = store_of_sale(stock, command.store_id)
    if stock.caller.session_id is not None and command.source != "pos":
        raise Refused(Code.INVALID_REQUEST, "A till sells for itself: its source is pos.", {"field": "source"})
    stock.catalog.know_products(asked.product for asked in command.lines)
    ask_for_named_lots(stock, (asked.lot_id for asked in command.lines if asked.lot_id is not None))
    stock.each_line(command.lines, lambda _, asked: _refuse_unknown(stock, asked))
    discount = discount_of(stock, command.discount)
    fees = fees_of(stock, command.fees)
    if fees and not command.lines and not command.fact:
        raise fees_alone()
    meant = stock.each_line(command.lines, lambda _, asked: _priced(stock, asked, fact=command.fact))
    if not command.fact:
        stock.each_line(meant, lambda _, one: _refuse_inactive(one.product))
    if command.order_number is not None:
        _refuse_order(stock, command, command.order_number)
    number = next_number(stock, "sale", OWN_NUMBER) if numbered else ""
    sale_id = stock.new_id()
    stock.loaded.update((SaleById(sale_id), HoldsOfTarget(sale_id), LooseHoldsOf(sale_id)))
    sale = Sale(
        id=sale_id,
        number=number,
        order_number=command.order_number or number,
        source=command.source,
        store_id=store_id,
        customer=command.customer,
        status=SUSPENDED if command.fact else OPEN,
        discount=discount,
        fees=fees,
        subtotal=0,
        discount_total=0,
        tax_total=0,
        fee_total=0,
        total=0,
        rounding=0,
        paid=0,
        change=0,
        payments=(),
        posted=0,
        posted_tax=0,
        fulfillments=(),
        session_id=stock.caller.session_id,
        actor=stock.caller.actor,
        created_at=stock.now,
        updated_at=stock.now,
        completed_at=None,
        external_id=command.external_id,
        tax_exempt=exemption_of(stock, command.tax_exempt),
    )
    asked_and_meant = enumerate(zip(command.lines, meant, strict=True))
    lines = [line_of(stock, sale, asked, one, index) for index, (asked, one) in asked_and_meant]
    return (sale, lines) if command.said is None else with_description(stock, sale, lines, command.said)


def exemption_of(stock: Stock, reason: str | None) -> str | None:
    """Why a sale has no tax, if the caller may say so."""
    if reason is not None and not stock.caller.may_price:
        raise Refused(Code.PRICE_MISMATCH, "A sale without tax needs the permission prices:override.")
    return reason


def _refuse_order(stock: Stock, command: OpenSale, order_number: str) -> None:
    """Refuse an order that the caller may not name, a number that looks like ours, and one that is used already."""
    refuse_source(stock, command.source)
    if command.source in NUMBERED_SOURCES and is_own_number(order_number):
        raise Refused(Code.INVALID_REQUEST, f"Numbers like {order_number} are given here.", {"field": "order_number"})
    known = stock.require(SaleOfOrder(command.source, order_number))
    if known or stock.sales_of_order(command.source, order_number):
        raise Refused(Code.ALREADY_EXISTS, f"Order {order_number} of {command.source} is there already.")


def next_number(stock: Stock, purpose: str, prefix: str) -> str:
    """The organisation's next number of a kind: prefix and at least six digits."""
    last: Counter | None = stock.record("counter", purpose)
    value = 1 if last is None else last.value + 1
    stock.put_record("counter", purpose, Counter(purpose, value))
    return f"{prefix}{value:0{NUMBER_DIGITS}d}"


def store_of_sale(stock: Stock, store_id: str | None) -> str | None:
    """The store that sells: the named one, else the caller's only one, else none (the organisation's online stock)."""
    stores = stock.caller.stores
    if store_id is not None:
        store = stock.catalog.store(store_id)
        if store is None:
            raise not_found(Code.STORE_NOT_FOUND, "Store", store_id)
        if stores is not None and store.id not in stores:
            raise Refused(Code.FORBIDDEN, "You may not act in that store.")
        return store.id
    if stores is None:
        return None
    if len(stores) > 1:
        raise Refused(Code.INVALID_REQUEST, "Name the store: you act in several.", {"field": "store_id"})
    return next(iter(stores))


def discount_of(stock: Stock, asked: DiscountRequest | None) -> Discount | None:
    """The discount in inner units; refused without the permission, or when it makes no sense."""
    if asked is None:
        return None
    if (asked.percent is None) == (asked.amount is None):
        raise Refused(Code.INVALID_REQUEST, "A discount is a percent or an amount.", {"field": "discount"})
    if asked.percent is not None:
        percent = exact_scaled(asked.percent, 4, PERCENT_WHOLE)
        if percent is None or percent < 0:
            raise Refused(Code.INVALID_AMOUNT, "A percentage is 0 to 100, with at most 4 decimal places.")
        found = Discount(percent=percent)
    else:
        amount = to_minor(asked.amount or "", stock.settings.minor_digits)
        if amount is None or amount < 0:
            raise Refused(Code.INVALID_AMOUNT, "The discount is not an amount of money.")
        found = Discount(amount=amount)
    refuse_discount(stock)
    return found


def refuse_discount(stock: Stock) -> None:
    """Refuse a discount to a caller who may give none."""
    if not stock.caller.may_discount:
        raise Refused(Code.PRICE_MISMATCH, "A discount needs the permission prices:discount.")


def fees_of(stock: Stock, asked: tuple[FeeRequest, ...], kept: tuple[SaleFee, ...] = ()) -> tuple[SaleFee, ...]:
    """The fees in inner units; refused when no rate is kept for a new one's class anywhere.

    Without the permission those that are `kept` stay as they are: everybody takes tips, and leaves them out, alone.
    """
    left = [fee for fee in kept if fee.tip is not True]
    fees = []
    for index, fee in enumerate(asked):
        amount = to_minor(fee.amount, stock.settings.minor_digits)
        if amount is None or not 0 <= amount <= ASIDE_MAX:
            words = f"The fee {fee.name!r} is not an amount of money, or beyond bounds."
            raise Refused(Code.INVALID_AMOUNT, words)
        same = (one for one in left if (one.name, one.amount, one.tax_class) == (fee.name, amount, fee.tax_class))
        if not fee.tip and (stays := next(same, None)) is not None:
            left.remove(stays)
            fees.append(stays)
            continue
        if fee.tax_class is not None and not stock.catalog.taxes(fee.tax_class):
            words = f"There is no tax rate of the class {fee.tax_class!r}."
            raise Refused(Code.INVALID_REQUEST, words, {"field": f"fees.{index}.tax_class"})
        if fee.tip and fee.tax_class is not None:
            raise malformed(f"fees.{index}.tax_class", "a tip has no tax.")
        if not fee.tip:
            _refuse_fee(stock)
        fees.append(SaleFee(fee.name, amount, fee.tax_class, tip=True if fee.tip else UNSET))
    if left:
        _refuse_fee(stock)
    return tuple(fees)


def _refuse_fee(stock: Stock) -> None:
    """Refuse another fee than there was to a caller who may set none."""
    if not stock.caller.may_price:
        raise Refused(Code.PRICE_MISMATCH, "A fee needs the permission prices:override, and so does one less.")


def fees_alone() -> Refused:
    """A sale has fees and no lines."""
    return malformed("fees", "a sale has fees beside lines: without any line it could never be completed.")


def price_of(stock: Stock, product: Product, asked: str | None, *, fact: bool = False) -> int:
    """The unit price in minor units: the catalogue's, or another with the permission.

    What has no price in the catalogue is 0 in a fact and for a caller who may set prices; no other caller can sell it.
    """
    if asked is None:
        if product.price is None and not fact and not stock.caller.may_price:
            raise _no_price(product)
        return product.price or 0
    price = to_minor(asked, stock.settings.minor_digits)
    if price is None or price < 0:
        raise Refused(Code.INVALID_AMOUNT, "unit_price is not an amount of money.", {"product_id": product.id})
    if product.kind == "gift_card":
        return price  # whoever buys it says what it shall be worth
    if price != product.price and not stock.caller.may_price:
        if product.price is None:
            raise _no_price(product)
        raise Refused(
            Code.PRICE_MISMATCH,
            f"The price of {product.sku} is another.",
            {"product_id": product.id, "unit_price": from_minor(product.price, stock.settings.minor_digits)},
        )
    return price


def _no_price(product: Product) -> Refused:
    words = f"{product.sku} has no price: somebody with the permission prices:override has to give one."
    return Refused(Code.PRICE_MISMATCH, words, {"product_id": product.id, "unit_price": None})


def _refuse_unknown(stock: Stock, asked: LineRequest) -> None:
    """Refuse a product, location or lot that does not exist."""
    product = stock.catalog.product(asked.product)
    if product is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", asked.product)
    if asked.location is not None:
        candidates(stock, asked.location)
    if asked.lot_id is not None and not lot_exists(stock, asked.lot_id, product):
        raise not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", asked.lot_id)


def _refuse_inactive(product: Product) -> None:
    """Refuse a product that is not sold any more."""
    if not product.active:
        raise not_sold_any_more(product)


class PricedRequest(NamedTuple):
    """What an asked line means: units in the product's smallest unit, the price of one whole unit in minor units.

    `breaks` are the product's where the price is the catalogue's; of a fact the price is what it was.
    """

    product: Product
    units: int
    price: int
    discount: Discount | None
    breaks: tuple[PriceBreak, ...] | None


def _priced(stock: Stock, asked: LineRequest, *, fact: bool) -> PricedRequest:
    """What the line, whose product exists, means; refused when a quantity, price or discount cannot be."""
    product = stock.catalog.product(asked.product)
    assert product is not None, asked
    units = product.units(asked.quantity)
    if units is None or units <= 0:
        raise invalid_quantity(product, asked.quantity)
    price = price_of(stock, product, asked.unit_price, fact=fact)
    refuse_wrong_card(product, price, units, discounted=asked.discount is not None, code=asked.code)
    if asked.code is not None:
        free_code(stock, asked.code)
    breaks = None if fact else breaks_at(product, price)
    return PricedRequest(product, units, price, discount_of(stock, asked.discount), breaks)


def refuse_wrong_card(product: Product, price: int, units: int, *, discounted: bool, code: str | None) -> None:
    """Refuse a gift card that would be worth nothing, or other than it costs, and a code of what is no card, or of
    several."""
    if product.kind != "gift_card":
        if code is not None:
            raise malformed("code", "is for a gift card.")
        return
    if discounted:
        raise malformed("discount", "cannot be given on a gift card: it is worth what it costs.")
    if price <= 0:
        words = "A gift card needs an amount: say it in unit_price."
        raise Refused(Code.INVALID_AMOUNT, words, {"product_id": product.id, "field": "unit_price"})
    if units > CARDS_MAX:
        words = f"At most {CARDS_MAX} gift cards are sold on one line."
        raise Refused(Code.INVALID_QUANTITY, words, {"product_id": product.id})
    if code is not None and units != 1:
        raise malformed("code", "is of one gift card: sell the others on lines of their own.")


def breaks_at(product: Product, price: int) -> tuple[PriceBreak, ...] | None:
    """The prices of so many units together that go with a price (minor units) of one."""
    return product.price_breaks or None if price == product.price else None


def refuse_old_breaks(stock: Stock, product: Product) -> None:
    """Refuse more units at prices of so many together that the catalogue has no more."""
    if not stock.caller.may_price:
        numbers = {"product_id": product.id, "unit_price": from_minor(product.price or 0, stock.settings.minor_digits)}
        words = f"The prices of so many {product.sku} together are others now: give its unit_price of today."
        raise Refused(Code.PRICE_MISMATCH, words, numbers)


def priced_request(stock: Stock, asked: LineRequest) -> PricedRequest:
    """What a line that is asked for means."""
    _refuse_unknown(stock, asked)
    meant = _priced(stock, asked, fact=False)
    _refuse_inactive(meant.product)
    return meant


def line_of_fact(stock: Stock, sale: Sale, asked: LineRequest, position: int) -> SaleLine:
    """The line of an order that a channel has taken, before any stock is held for it."""
    _refuse_unknown(stock, asked)
    return line_of(stock, sale, asked, _priced(stock, asked, fact=True), position)


def line_of(stock: Stock, sale: Sale, asked: LineRequest, meant: PricedRequest, position: int) -> SaleLine:
    """The line of the sale, in inner units, before any stock is held for it."""
    product = meant.product
    place = None if asked.location is None else stock.catalog.location(asked.location)
    kind: LineKind = (
        "gift_card"
        if product.kind == "gift_card"
        else "unlimited"
        if product.unlimited
        else "dropship"
        if product.dropship
        else "stock"
    )
    return SaleLine(
        id=stock.new_id(),
        sale_id=sale.id,
        position=position,
        product_id=product.id,
        kind=kind,
        location_id=None if place is None else place.id,
        lot_id=asked.lot_id,
        quantity=meant.units,
        fulfilled=0,
        returned=0,
        unit_price=meant.price,
        asked=meant.discount,
        tax_class=product.tax_class,
        tax_rate=0,
        gross=0,
        discount=0,
        tax=0,
        total=0,
        due=0,
        taken=(),
        reservations=(),
        removed=False,
        created_at=stock.now,
        updated_at=stock.now,
        breaks=meant.breaks,
        gift_code=None if asked.code is None else read_code(asked.code),
    )
