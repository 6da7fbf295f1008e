"""Sales: a customer's order in any channel, carts of the till included (SPEC section 7).

    open (cart) -> suspended (in the shared queue) -> completed | cancelled

What a sale is made of, how it is shown, and its money; what can be done with it is in `cart` (open, edit, suspend,
resume, cancel), `checkout` (complete, ship, sell at once) and `returns`. A line holds stock through reservations that
name it; digital lines and lines that a supplier ships need none. Amounts are minor units, quantities smallest units,
and what is persisted is what `compute_receipt` returned.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.number import from_minor, share_of_value, to_minor
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Rejected, not_found
from holdfast.core.records.stock import Reservation
from holdfast.core.records.totals import Discount, Fee, Payment, PricedLine, Receipt, Rules, compute_receipt, tendered
from holdfast.core.records.wants import SaleById, SaleOfLine
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

SaleStatus = Literal["open", "suspended", "completed", "cancelled"]
LineKind = Literal["stock", "unlimited", "dropship"]

OWN_SOURCES = ("pos", "manual")
"""Sources whose order number is ours."""

OWN_NUMBER = "S-"
"""What our own numbers begin with; no order of an own source may bring such a number along."""

LINES_MAX = 1_000
"""Most lines of one sale."""


class Taken(msgspec.Struct, frozen=True, gc=False):
    """Units of a line that left a lot, with the value (minor units) they took along; what of it came back."""

    lot_id: str
    location_id: str
    units: int
    value: int
    returned_units: int = 0
    returned_value: int = 0


class SaleFee(msgspec.Struct, frozen=True, gc=False):
    """A fee as it was asked for: delivery, gift wrap; `amount` in minor units."""

    name: str
    amount: int
    tax_class: str | None = None
    tax_rate: int = 0


class Terms(msgspec.Struct, frozen=True, gc=False):
    """A line as it stood when the first part of its sale went out: smallest units, and minor units with their tax.

    What is booked for a part, and what a line comes to that is made smaller, are shares of this.
    """

    line_id: str
    units: int
    total: int
    tax: int


class Shipped(msgspec.Struct, frozen=True, gc=False):
    """Units of a line that left a lot at a location by a hold, with the value (minor units) that they took along."""

    line_id: str
    hold_id: str
    lot_id: str
    location_id: str
    units: int
    value: int


class Fulfillment(msgspec.Struct, frozen=True, gc=False):
    """Units of a sale that were shipped together: (line id, units) each.

    `amounts` are the (total, tax) in minor units that it booked for each of `lines`, `moved` is what left which lot.
    The first shipment of a sale has the `terms` of all its lines. The shipment after which the sale was completed has
    the status of the sale `before`. What an older version wrote has none of the four. One without `lines` was taken
    back: it is kept for its terms alone, of which what is left of the sale is a share.
    """

    id: str
    at: int
    tracking: str | None
    lines: tuple[tuple[str, int], ...]
    actor: str
    amounts: tuple[tuple[int, int], ...] | UnsetType = UNSET
    moved: tuple[Shipped, ...] | UnsetType = UNSET
    terms: tuple[Terms, ...] | UnsetType = UNSET
    before: SaleStatus | UnsetType = UNSET


class Sale(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A sale. `posted` is what of `total`, and `posted_tax` what of its tax, fulfilments have booked already.

    `external_id` is another number of the order at its source (Shopify's numeric id beside the name #1001). Rows of
    before it was there keep their checksum: a default is left out of it.
    """

    id: str
    number: str
    order_number: str
    source: str
    store_id: str | None
    customer: str | None
    status: SaleStatus
    discount: Discount | None
    fees: tuple[SaleFee, ...]
    subtotal: int
    discount_total: int
    tax_total: int
    fee_total: int
    total: int
    rounding: int
    paid: int
    change: int
    payments: tuple[Payment, ...]
    posted: int
    posted_tax: int
    fulfillments: tuple[Fulfillment, ...]
    session_id: str | None
    actor: str
    created_at: int
    updated_at: int
    completed_at: int | None
    external_id: str | None = None

    @property
    def due(self) -> int:
        """What the customer owes in all: the exact total and the rounding of its cash part."""
        return self.total + self.rounding

    @property
    def unfinished(self) -> bool:
        """True while it may still change: a cart, or in the queue."""
        return self.status in ("open", "suspended")


class SaleLine(msgspec.Struct, frozen=True, gc=False):
    """A line of a sale.

    `total` is what it costs the customer, tax included; `discount` includes its share of the sale's, `asked` is the
    line's own. `due` is its part of what was due, from which refunds are taken.
    """

    id: str
    sale_id: str
    position: int
    product_id: str
    kind: LineKind
    location_id: str | None
    lot_id: str | None
    quantity: int
    fulfilled: int
    returned: int
    unit_price: int
    asked: Discount | None
    tax_class: str | None
    tax_rate: int
    gross: int
    discount: int
    tax: int
    total: int
    due: int
    taken: tuple[Taken, ...]
    reservations: tuple[str, ...]
    removed: bool
    created_at: int
    updated_at: int

    @property
    def open(self) -> int:
        """Units that did not go out yet."""
        return self.quantity - self.fulfilled


class Counter(msgspec.Struct, frozen=True, gc=False):
    """The last number that was given out; `id` is its purpose."""

    id: str
    value: int


# Finding -------------------------------------------------------------------------------------------------------------


def find_sale(stock: Stock, sale_id: str) -> Sale | Rejected:
    """The sale, locked, with its lines and the levels of its active holds; refused as `look_at_sale` refuses."""
    sale = look_at_sale(stock, sale_id)
    if not isinstance(sale, Rejected):
        stock.holds_of_target(sale.id)
    return sale


def look_at_sale(stock: Stock, sale_id: str) -> Sale | Rejected:
    """The sale, locked, with its lines; refused when it is not there or belongs to another store."""
    stock.require(SaleById(sale_id))
    sale = stock.row(Sale, sale_id)
    stock.catalog.know_products(line.product_id for line in stock.rows_of_sale(SaleLine, sale_id))
    if sale is None:
        return not_found(Code.SALE_NOT_FOUND, "Sale", sale_id)
    stores = stock.caller.stores
    if stores is not None and sale.store_id not in stores:
        return Rejected(Code.FORBIDDEN, "You may not touch this sale: it belongs to another store.")
    return sale


def sale_of_line(stock: Stock, line_id: str) -> str | None:
    """The id of the sale that has the line."""
    known = stock.row(SaleLine, line_id)
    if known is not None:
        return None if known.removed else known.sale_id
    found = stock.require(SaleOfLine(line_id))
    return found[0] if found else None


def lines_of(stock: Stock, sale: Sale) -> list[SaleLine]:
    """The sale's lines in order, without removed ones."""
    lines = [line for line in stock.rows_of_sale(SaleLine, sale.id) if not line.removed]
    return sorted(lines, key=lambda line: line.position)


def holds_of(stock: Stock, sale: Sale) -> list[Reservation]:
    """Active holds that name the sale or one of its lines, oldest first, with their levels locked."""
    return stock.holds_of_target(sale.id)


def taken_since(stock: Stock, first_entry: int, taken: tuple[Taken, ...] = ()) -> tuple[Taken, ...]:
    """What SALE entries from that number on took from which lots, added to what was taken before."""
    parts = list(taken)
    for entry in stock.entries[first_entry:]:
        if entry.ref_type == "SALE" and entry.lot_id is not None:
            parts.append(Taken(entry.lot_id, entry.location_id, -entry.qty_delta, -entry.value_delta))
    return tuple(parts)


def count_on_line(stock: Stock, line_id: str, units: int, first_entry: int) -> None:
    """Units of a line went out by a hold that names it, past the sale: the sale counts them and sells them no more."""
    sale_id = sale_of_line(stock, line_id)
    if sale_id is None:
        return
    stock.require(SaleById(sale_id))
    sale, line = stock.row(Sale, sale_id), stock.row(SaleLine, line_id)
    if sale is None or line is None or not sale.unfinished:
        return
    left = min(units, line.open)
    went = []
    for part in taken_since(stock, first_entry):
        counted = min(left, part.units)
        if counted:
            went.append(replace(part, units=counted, value=share_of_value(part.value, part.units, counted)))
        left -= counted
    fulfilled = line.fulfilled + sum(part.units for part in went)
    stock.put_row(replace(line, fulfilled=fulfilled, taken=(*line.taken, *went), updated_at=stock.now))


def product_of_line(stock: Stock, line: SaleLine) -> Product:
    """The line's product."""
    product = stock.catalog.product(line.product_id)
    assert product is not None, line
    return product


# Money ---------------------------------------------------------------------------------------------------------------


def tax_rate_of(stock: Stock, tax_class: str | None, store_id: str | None) -> int:
    """The rate (10**-6) of a tax class in a store: the store's own, else the organisation's; no class is untaxed."""
    if tax_class is None:
        return 0
    return stock.catalog.tax_rate(tax_class, store_id)


def rules_of(stock: Stock) -> Rules:
    """How the organisation computes: tax included in prices or not, and the smallest coin."""
    settings = stock.settings
    step = to_minor(settings.cash_rounding, settings.minor_digits)
    return Rules(settings.tax_mode == "inclusive", step or 0)


def priced(stock: Stock, sale: Sale, lines: list[SaleLine]) -> tuple[Sale, list[SaleLine]]:
    """The sale's fees and the lines with the tax rates of today."""
    fees = tuple(replace(fee, tax_rate=tax_rate_of(stock, fee.tax_class, sale.store_id)) for fee in sale.fees)
    rated = [replace(line, tax_rate=tax_rate_of(stock, line.tax_class, sale.store_id)) for line in lines]
    return replace(sale, fees=fees), rated


def kept_receipt(stock: Stock, sale: Sale) -> Receipt:
    """The receipt that the sale's persisted amounts are."""
    return Receipt(
        tuple(lines_of(stock, sale)),  # type: ignore[arg-type] # a line has its totals under the same names
        (),
        sale.subtotal,
        sale.discount_total,
        sale.tax_total,
        sale.fee_total,
        sale.total,
        sale.rounding,
        sale.total + sale.rounding,
        sale.paid,
        sale.change,
    )


def receipt_of(
    stock: Stock,
    sale: Sale,
    lines: list[SaleLine],
    payments: tuple[Payment, ...] | None,
    *,
    new_discount: bool = False,
) -> Receipt | Rejected:
    """The receipt of a sale with these lines, its amounts formatted in a refusal.

    A `new_discount` above the price of the lines is refused; one given before takes off what there is, when lines have
    gone since. Once a part was shipped its amounts stand as they were booked; only the tender is new.
    """
    rules = rules_of(stock)
    computed: Receipt | Rejected
    if sale.fulfillments:
        tender = tendered(sale.total, payments, rules.cash_rounding)
        computed = (
            tender
            if isinstance(tender, Rejected)
            else replace(
                kept_receipt(stock, sale),
                rounding=tender.rounding,
                due=sale.total + tender.rounding,
                paid=tender.paid,
                change=tender.change,
            )
        )
    else:
        computed = compute_receipt(
            [
                PricedLine(
                    line.unit_price, line.quantity, product_of_line(stock, line).precision, line.asked, line.tax_rate
                )
                for line in lines
            ],
            sale_discount=sale.discount,
            fees=[Fee(fee.name, fee.amount, fee.tax_rate) for fee in sale.fees],
            rules=rules,
            payments=payments,
            cap_discount=not new_discount,
        )
    if isinstance(computed, Rejected) and computed.code is Code.PAYMENT_MISMATCH:
        digits = stock.settings.minor_digits
        numbers = {name: from_minor(amount, digits) for name, amount in computed.numbers.items()}
        return replace(computed, numbers=numbers)
    return computed


def priced_today(stock: Stock, sale: Sale, lines: list[SaleLine]) -> tuple[Sale, list[SaleLine]]:
    """A sale and its lines with the money that it would take now: rates and settings may be others than at its last
    change. Of a finished sale, and once a part was shipped, the amounts stand."""
    if not sale.unfinished or sale.fulfillments:
        return sale, lines
    rated, lines_rated = priced(stock, sale, lines)
    receipt = receipt_of(stock, rated, lines_rated, None)
    if isinstance(receipt, Rejected):
        return sale, lines
    return replace(sale_with(stock, rated, receipt), updated_at=sale.updated_at), lines_with(
        stock, lines_rated, receipt
    )


def lines_with(stock: Stock, lines: list[SaleLine], receipt: Receipt) -> list[SaleLine]:
    """The lines with what was computed for each."""
    return [
        replace(
            line, gross=totals.gross, discount=totals.discount, tax=totals.tax, total=totals.total, updated_at=stock.now
        )
        for line, totals in zip(lines, receipt.lines, strict=True)
    ]


def sale_with(stock: Stock, sale: Sale, receipt: Receipt) -> Sale:
    """The sale with what was computed for it."""
    return replace(
        sale,
        subtotal=receipt.subtotal,
        discount_total=receipt.discount_total,
        tax_total=receipt.tax_total,
        fee_total=receipt.fee_total,
        total=receipt.total,
        rounding=receipt.rounding,
        paid=receipt.paid,
        change=receipt.change,
        updated_at=max(stock.now, sale.updated_at),
    )


def put_receipt(stock: Stock, sale: Sale, lines: list[SaleLine], receipt: Receipt) -> Sale:
    """Keep what was computed on the sale and its lines."""
    for line in lines_with(stock, lines, receipt):
        if line != stock.row(SaleLine, line.id):
            stock.put_row(line)
    sale = sale_with(stock, sale, receipt)
    stock.put_row(sale)
    return sale
