"""Carts: a sale while it is put together, and the shared queue of suspended ones (SPEC section 7).

    Open, add 2 mugs        -> open; the mugs are held for cart_hold_minutes from the last activity
    Suspend                 -> suspended: in the store's queue, its holds stay without an end
    Resume, by two cashiers -> exactly one has it
    Cancel                  -> cancelled; the holds go back. What was shipped already stays sold: completed

A line that no location can fill alone is split over the fewest that together can, one hold each. What stock does not
cover waits where the product allows it, at the first location; else the line is refused and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from holdfast.core.allocation import lot_exists
from holdfast.core.number import Number, exact_scaled, from_minor, instant_text, to_minor
from holdfast.core.product import Product
from holdfast.core.rejection import (
    Code,
    Rejected,
    group_rejected,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.reservation import (
    candidates,
    release_units,
)
from holdfast.core.sale import (
    LINES_MAX,
    OWN_NUMBER,
    OWN_SOURCES,
    Counter,
    LineKind,
    Sale,
    SaleDocument,
    SaleFee,
    SaleLine,
    describe_sale,
    find_sale,
    holds_of_line,
    lines_of,
    priced,
    product_of_line,
    put_receipt,
    receipt_of,
)
from holdfast.core.sourcing import (
    adjust_hold,
    hold_units,
    renew,
)
from holdfast.core.stock import Stock
from holdfast.core.supplier import cancel_supplier_orders, change_supplier_order, order_from_supplier
from holdfast.core.totals import PERCENT_WHOLE, Discount

replace = msgspec.structs.replace

NUMBER_DIGITS = 6
"""Fewest digits of a number that we give."""


class DiscountAsked(msgspec.Struct, frozen=True, gc=False):
    """A discount as it was asked for: percent 0 to 100 with up to 4 places, or an amount as a decimal string."""

    percent: Number | None = None
    amount: str | None = None


class FeeAsked(msgspec.Struct, frozen=True, gc=False):
    """A fee as it was asked for; `amount` a decimal string."""

    name: str
    amount: str
    tax_class: str | None = None


class LineAsked(msgspec.Struct, frozen=True, gc=False):
    """What shall be on a line; `unit_price` a decimal string, the catalogue's when it is None."""

    product: str
    quantity: Number
    unit_price: str | None = None
    discount: DiscountAsked | None = None
    lot_id: str | None = None
    location: str | None = None


class OpenSale(msgspec.Struct, frozen=True, gc=False):
    """Begin a sale, with lines or without.

    With `fact` it is an order that a channel has taken: suspended at once, whatever stock says; the shortfall waits.
    """

    store_id: str | None = None
    customer: str | None = None
    source: str = "manual"
    order_number: str | None = None
    lines: tuple[LineAsked, ...] = ()
    discount: DiscountAsked | None = None
    fees: tuple[FeeAsked, ...] = ()
    fact: bool = False


class AddLine(msgspec.Struct, frozen=True, gc=False):
    """Put a line into a cart."""

    sale_id: str
    line: LineAsked


class EditLine(msgspec.Struct, frozen=True, gc=False):
    """Change a line of a cart: `changes` has quantity, unit_price, discount (None takes it away)."""

    sale_id: str
    line_id: str
    changes: dict[str, Any]


class RemoveLine(msgspec.Struct, frozen=True, gc=False):
    """Take a line out of a cart."""

    sale_id: str
    line_id: str


class ChangeSale(msgspec.Struct, frozen=True, gc=False):
    """Change a cart: `changes` has customer, discount, fees."""

    sale_id: str
    changes: dict[str, Any]


class SuspendSale(msgspec.Struct, frozen=True, gc=False):
    """Put a cart into the shared queue."""

    sale_id: str


class ResumeSale(msgspec.Struct, frozen=True, gc=False):
    """Take a suspended sale out of the queue."""

    sale_id: str


class CancelSale(msgspec.Struct, frozen=True, gc=False):
    """Give up a sale."""

    sale_id: str


# Opening -------------------------------------------------------------------------------------------------------------


def open_sale(stock: Stock, command: OpenSale) -> SaleDocument | Rejected:
    """Decide an OpenSale."""
    sale = new_sale(stock, command)
    if isinstance(sale, Rejected):
        return sale
    stock.put_row(sale)
    refused = _add_lines(stock, sale, command.lines, fact=command.fact)
    if refused is not None:
        return refused
    priced_sale = reprice(stock, sale)
    if isinstance(priced_sale, Rejected):
        return priced_sale
    if command.fact:
        for line in lines_of(stock, priced_sale):
            if line.kind == "dropship":
                order_from_supplier(stock, priced_sale, line)
    stock.tell("SaleOpened", None, sale_facts(stock, priced_sale))
    return describe_sale(stock, priced_sale)


def new_sale(stock: Stock, command: OpenSale, *, numbered: bool = True) -> Sale | Rejected:
    """A sale with its number (a quote needs none, and no place in the queue for it), without lines."""
    if len(command.lines) > LINES_MAX and not command.fact:
        return Rejected(Code.INVALID_REQUEST, f"A sale has at most {LINES_MAX} lines.", {"field": "lines"})
    store_id = store_of_sale(stock, command.store_id)
    if isinstance(store_id, Rejected):
        return store_id
    if stock.caller.session_id is not None and command.source != "pos":
        return Rejected(Code.INVALID_REQUEST, "A till sells for itself: its source is pos.", {"field": "source"})
    unknown = _first_of(command.lines, lambda asked: _unknown(stock, asked))
    if unknown is not None:
        return unknown
    discount = discount_of(stock, command.discount)
    if isinstance(discount, Rejected):
        return discount
    fees = fees_of(stock, command.fees)
    if isinstance(fees, Rejected):
        return fees
    meaningless = _first_of(command.lines, lambda asked: _meaningless(stock, asked))
    if meaningless is not None:
        return meaningless
    if command.order_number is not None:
        taken = _order_refusal(stock, command, command.order_number)
        if taken is not None:
            return taken
    number = next_number(stock, "sale", OWN_NUMBER) if numbered else ""
    sale_id = stock.new_id()
    stock.loaded.update((("sale", sale_id), ("target", sale_id)))
    return Sale(
        sale_id,
        number,
        command.order_number or number,
        command.source,
        store_id,
        command.customer,
        "suspended" if command.fact else "open",
        discount,
        fees,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        (),
        0,
        0,
        (),
        stock.caller.session_id,
        stock.caller.actor,
        stock.now,
        stock.now,
        None,
    )


def _order_refusal(stock: Stock, command: OpenSale, order_number: str) -> Rejected | None:
    """Refuse an order number that looks like one of ours, or that its source has used already."""
    serial = order_number.removeprefix(OWN_NUMBER)
    ours = serial != order_number and serial.isdigit() and len(serial) >= NUMBER_DIGITS
    if command.source in OWN_SOURCES and ours:
        return Rejected(Code.INVALID_REQUEST, f"Numbers like {order_number} are given here.", {"field": "order_number"})
    if stock.require("sale_of_order", command.source, order_number) or any(
        (sale.source, sale.order_number) == (command.source, order_number) for sale in stock.rows_of(Sale)
    ):
        return Rejected(Code.ALREADY_EXISTS, f"Order {order_number} of {command.source} is there already.")
    return None


def next_number(stock: Stock, purpose: str, prefix: str) -> str:
    """The organisation's next number of a kind: prefix and at least six digits."""
    last: Counter | None = stock.record("counter", purpose)
    value = 1 if last is None else last.value + 1
    stock.put_record("counter", purpose, Counter(purpose, value))
    return f"{prefix}{value:0{NUMBER_DIGITS}d}"


def store_of_sale(stock: Stock, store_id: str | None) -> str | Rejected | None:
    """The store that sells: the named one, else the caller's only one, else none (the organisation's online stock)."""
    stores = stock.caller.stores
    if store_id is not None:
        store = stock.catalog.store(store_id)
        if store is None:
            return not_found(Code.STORE_NOT_FOUND, "Store", store_id)
        if stores is not None and store.id not in stores:
            return Rejected(Code.FORBIDDEN, "You may not act in that store.")
        return store.id
    if stores is None:
        return None
    if len(stores) > 1:
        return Rejected(Code.INVALID_REQUEST, "Name the store: you act in several.", {"field": "store_id"})
    return next(iter(stores))


def discount_of(stock: Stock, asked: DiscountAsked | None) -> Discount | Rejected | None:
    """The discount in inner units; refused without the permission, or when it makes no sense."""
    if asked is None:
        return None
    if (asked.percent is None) == (asked.amount is None):
        return Rejected(Code.INVALID_REQUEST, "A discount is a percent or an amount.", {"field": "discount"})
    if asked.percent is not None:
        percent = exact_scaled(asked.percent, 4, PERCENT_WHOLE)
        if percent is None or percent < 0:
            return Rejected(Code.INVALID_AMOUNT, "A percentage is 0 to 100, with at most 4 decimal places.")
        found = Discount(percent=percent)
    else:
        amount = to_minor(asked.amount or "", stock.settings.minor_digits)
        if amount is None or amount < 0:
            return Rejected(Code.INVALID_AMOUNT, "The discount is not an amount of money.")
        found = Discount(amount=amount)
    if not stock.caller.may_discount:
        return Rejected(Code.PRICE_MISMATCH, "A discount needs the permission prices:discount.")
    return found


def fees_of(stock: Stock, asked: tuple[FeeAsked, ...]) -> tuple[SaleFee, ...] | Rejected:
    """The fees in inner units; refused without the permission."""
    fees = []
    for fee in asked:
        amount = to_minor(fee.amount, stock.settings.minor_digits)
        if amount is None or amount < 0:
            return Rejected(Code.INVALID_AMOUNT, f"The fee {fee.name!r} is not an amount of money.")
        fees.append(SaleFee(fee.name, amount, fee.tax_class))
    if fees and not stock.caller.may_price:
        return Rejected(Code.PRICE_MISMATCH, "A fee needs the permission prices:override.")
    return tuple(fees)


def price_of(stock: Stock, product: Product, asked: str | None) -> int | Rejected:
    """The unit price in minor units: the catalogue's (0 where it has none), or another with the permission."""
    catalogue = product.price or 0
    if asked is None:
        return catalogue
    price = to_minor(asked, stock.settings.minor_digits)
    if price is None or price < 0:
        return Rejected(Code.INVALID_AMOUNT, "unit_price is not an amount of money.", {"product_id": product.id})
    if price != catalogue and not stock.caller.may_price:
        return Rejected(
            Code.PRICE_MISMATCH,
            f"The price of {product.sku} is another.",
            {"product_id": product.id, "unit_price": from_minor(catalogue, stock.settings.minor_digits)},
        )
    return price


# Lines ---------------------------------------------------------------------------------------------------------------


def _add_lines(stock: Stock, sale: Sale, asked: tuple[LineAsked, ...], *, fact: bool = False) -> Rejected | None:
    failed: list[tuple[int, Rejected]] = []
    added = stock.each(asked, lambda index, line: put_line(stock, sale, line, index, fact=fact))
    for index, line in enumerate(added):
        if isinstance(line, Rejected):
            failed.append((index, line))
    return group_rejected(failed) if failed else None


def _first_of(asked: tuple[LineAsked, ...], test: Callable[[LineAsked], Rejected | None]) -> Rejected | None:
    """The lines that the test refuses, as one refusal."""
    failed = [(index, refused) for index, line in enumerate(asked) if (refused := test(line)) is not None]
    return group_rejected(failed) if failed else None


def _unknown(stock: Stock, asked: LineAsked) -> Rejected | None:
    """Refuse a product, location or lot that does not exist."""
    product = stock.catalog.product(asked.product)
    if product is None:
        return not_found(Code.PRODUCT_NOT_FOUND, "Product", asked.product)
    if asked.location is not None:
        places = candidates(stock, asked.location)
        if isinstance(places, Rejected):
            return places
    if asked.lot_id is not None and not lot_exists(stock, asked.lot_id, product):
        return not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", asked.lot_id)
    return None


def _meaningless(stock: Stock, asked: LineAsked) -> Rejected | None:
    """Refuse a quantity, price or discount that cannot be, of a product that exists."""
    product = stock.catalog.product(asked.product)
    assert product is not None, asked
    units = product.units(asked.quantity)
    if units is None or units <= 0:
        return invalid_quantity(product, asked.quantity)
    price = price_of(stock, product, asked.unit_price)
    if isinstance(price, Rejected):
        return price
    discount = discount_of(stock, asked.discount)
    return discount if isinstance(discount, Rejected) else None


def put_line(
    stock: Stock, sale: Sale, asked: LineAsked, position: int, *, fact: bool = False, hold: bool = True
) -> SaleLine | Rejected:
    """A new line of the sale, with its stock held (unless somebody else sees to that)."""
    line = line_of(stock, sale, asked, position)
    if isinstance(line, Rejected):
        return line
    if hold and line.kind == "stock":
        held = hold_units(stock, sale, line, line.quantity, fact=fact)
        if isinstance(held, Rejected):
            return held
        line = held
    stock.put_row(line)
    return line


def line_of(stock: Stock, sale: Sale, asked: LineAsked, position: int) -> SaleLine | Rejected:
    """What a line is, in inner units, before any stock is held for it."""
    refused = _unknown(stock, asked) or _meaningless(stock, asked)
    if refused is not None:
        return refused
    product = stock.catalog.product(asked.product)
    place = None if asked.location is None else stock.catalog.location(asked.location)
    assert product is not None, asked
    units = product.units(asked.quantity)
    price = price_of(stock, product, asked.unit_price)
    discount = discount_of(stock, asked.discount)
    assert units is not None and isinstance(price, int) and not isinstance(discount, Rejected), asked
    kind: LineKind = "unlimited" if product.unlimited else "dropship" if product.dropship else "stock"
    return SaleLine(
        stock.new_id(),
        sale.id,
        position,
        product.id,
        kind,
        None if place is None else place.id,
        asked.lot_id,
        units,
        0,
        0,
        price,
        discount,
        product.tax_class,
        0,
        0,
        0,
        0,
        0,
        0,
        (),
        (),
        False,
        stock.now,
        stock.now,
    )


def add_line(stock: Stock, command: AddLine) -> SaleDocument | Rejected:
    """Decide an AddLine."""
    sale = find_sale(stock, command.sale_id)
    if isinstance(sale, Rejected):
        return sale
    refused = _unknown(stock, command.line) or _meaningless(stock, command.line) or _fixed(stock, sale)
    if refused is not None:
        return refused
    known = stock.rows_of_sale(SaleLine, sale.id)
    if len(known) >= LINES_MAX:
        return invalid_state(f"A sale has at most {LINES_MAX} lines.")
    position = max((line.position for line in known), default=-1) + 1
    line = put_line(stock, sale, command.line, position)
    return line if isinstance(line, Rejected) else _changed(stock, sale)


def edit_line(stock: Stock, command: EditLine) -> SaleDocument | Rejected:
    """Decide an EditLine: the hold follows the quantity; the line's own units never stand in its way."""
    sale = find_sale(stock, command.sale_id)
    if isinstance(sale, Rejected):
        return sale
    known = _line(stock, sale, command.line_id)
    if isinstance(known, Rejected):
        return known
    line = _edited(stock, known, command.changes)
    if isinstance(line, Rejected):
        return line
    fixed = _fixed(stock, sale)
    if fixed is not None:
        return fixed
    if line.kind == "stock":
        adjusted = adjust_hold(stock, sale, line)
        if isinstance(adjusted, Rejected):
            return adjusted
        line = adjusted
    change_supplier_order(stock, line)
    stock.put_row(line)
    return _changed(stock, sale)


def _edited(stock: Stock, line: SaleLine, changes: dict[str, Any]) -> SaleLine | Rejected:
    """The line with the changes, before any stock follows."""
    product = product_of_line(stock, line)
    if "quantity" in changes:
        units = product.units(changes["quantity"])
        if units is None or units <= 0:
            return invalid_quantity(product, changes["quantity"])
        line = replace(line, quantity=units)
    if "unit_price" in changes:
        price = price_of(stock, product, changes["unit_price"])
        if isinstance(price, Rejected):
            return price
        line = replace(line, unit_price=price)
    if "discount" in changes:
        discount = discount_of(stock, changes["discount"])
        if isinstance(discount, Rejected):
            return discount
        line = replace(line, asked=discount)
    return replace(line, updated_at=stock.now)


def remove_line(stock: Stock, command: RemoveLine) -> SaleDocument | Rejected:
    """Decide a RemoveLine."""
    sale = find_sale(stock, command.sale_id)
    if isinstance(sale, Rejected):
        return sale
    line = _line(stock, sale, command.line_id)
    if isinstance(line, Rejected):
        return line
    fixed = _fixed(stock, sale)
    if fixed is not None:
        return fixed
    for hold in holds_of_line(stock, sale, line):
        release_units(stock, hold, hold.open, "edited")
    cancel_supplier_orders(stock, sale, line)
    stock.put_row(replace(line, removed=True, updated_at=stock.now))
    return _changed(stock, sale)


def change_sale(stock: Stock, command: ChangeSale) -> SaleDocument | Rejected:
    """Decide a ChangeSale."""
    sale = find_sale(stock, command.sale_id)
    if isinstance(sale, Rejected):
        return sale
    changes = command.changes
    if "customer" in changes:
        sale = replace(sale, customer=changes["customer"])
    if "discount" in changes:
        discount = discount_of(stock, changes["discount"])
        if isinstance(discount, Rejected):
            return discount
        sale = replace(sale, discount=discount)
    if "fees" in changes:
        fees = fees_of(stock, tuple(changes["fees"]))
        if isinstance(fees, Rejected):
            return fees
        sale = replace(sale, fees=fees)
    fixed = _fixed(stock, sale)
    if fixed is not None:
        return fixed
    stock.put_row(sale)
    return _changed(stock, sale)


def _fixed(stock: Stock, sale: Sale) -> Rejected | None:
    """Refuse to edit what is no cart any more, nor in the queue."""
    if not sale.unfinished:
        return invalid_state(f"The sale is {sale.status}.", sale_status=sale.status)
    if sale.fulfillments or any(line.fulfilled for line in lines_of(stock, sale)):
        return invalid_state("A part of the sale went out already: its lines and prices stand.")
    return None


def _line(stock: Stock, sale: Sale, line_id: str) -> SaleLine | Rejected:
    line: SaleLine | None = stock.row(SaleLine, line_id)
    if line is None or line.sale_id != sale.id or line.removed:
        return not_found(Code.NOT_FOUND, "Line", line_id)
    return line


def _changed(stock: Stock, sale: Sale) -> SaleDocument | Rejected:
    """Compute the money anew, renew the holds, show the sale."""
    sale_now = reprice(stock, sale)
    if isinstance(sale_now, Rejected):
        return sale_now
    renew(stock, sale_now)
    return describe_sale(stock, sale_now)


def reprice(stock: Stock, sale: Sale) -> Sale | Rejected:
    """Compute the open sale's money anew and keep it."""
    sale, lines = priced(stock, sale, lines_of(stock, sale))
    receipt = receipt_of(stock, sale, lines, None)
    return receipt if isinstance(receipt, Rejected) else put_receipt(stock, sale, lines, receipt)


# The queue -----------------------------------------------------------------------------------------------------------


def suspend_sale(stock: Stock, command: SuspendSale) -> SaleDocument | Rejected:
    """Decide a SuspendSale: the holds stay, and end no more by themselves."""
    sale = find_sale(stock, command.sale_id)
    if isinstance(sale, Rejected):
        return sale
    if sale.status != "open":
        return invalid_state(f"The sale is {sale.status}.", sale_status=sale.status)
    return describe_sale(stock, suspend(stock, sale))


def suspend(stock: Stock, sale: Sale) -> Sale:
    """Put an open sale into the queue."""
    sale = replace(sale, status="suspended", updated_at=max(stock.now, sale.updated_at))
    stock.put_row(sale)
    renew(stock, sale)
    stock.tell("SaleSuspended", None, sale_facts(stock, sale))
    return sale


def resume_sale(stock: Stock, command: ResumeSale) -> SaleDocument | Rejected:
    """Decide a ResumeSale: whoever comes second finds it open already. No hold changes."""
    sale = find_sale(stock, command.sale_id)
    if isinstance(sale, Rejected):
        return sale
    if sale.status != "suspended":
        return invalid_state(f"The sale is {sale.status}.", sale_status=sale.status)
    sale = replace(
        sale,
        status="open",
        actor=stock.caller.actor,
        session_id=stock.caller.session_id or sale.session_id,
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(sale)
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
