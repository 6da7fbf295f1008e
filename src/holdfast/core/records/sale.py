"""Sales as they are kept: the sale, its lines, its fees, and the parts of it that went out.

    Sale(source="shopify", order_number="1001", status="suspended", ...)      a customer's order in any channel
    SaleLine(quantity=2, unit_price=500, ...)                              two units at 5.00

Quantities are smallest units, amounts minor units, rates 10**-6, times microseconds since 1970.
What can be done with a sale is in the room `core.sales`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.product import PriceBreak
from holdfast.core.records.status import CANCELLED, OPEN, SALE, SUSPENDED, SaleStatus, Transitions
from holdfast.core.records.tax import Rate, TaxShare
from holdfast.core.records.totals import Discount, Method, Payment

LineKind = Literal["stock", "unlimited", "dropship", "gift_card"]

WITHOUT_GOODS = ("unlimited", "gift_card")
"""Kinds of lines that go out when their sale is completed: nothing has to be shipped."""


CHANNELS = ("shopify", "woocommerce", "amazon", "etsy")
"""Sources whose orders come by themselves, and are of the whole organisation."""

NUMBERED_SOURCES = ("pos", "manual")
"""Sources whose order number is ours."""


OWN_NUMBER = "S-"
"""What our own numbers begin with; no order of an own source may bring such a number along."""


NUMBER_DIGITS = 6
"""Fewest digits of a number that we give."""


def is_own_number(text: str) -> bool:
    """Does the text have the form of the numbers that we give our sales?"""
    serial = text.removeprefix(OWN_NUMBER)
    return serial != text and serial.isdigit() and len(serial) >= NUMBER_DIGITS


PAYMENTS_MAX = 100
"""Most payments of one sale, what went back among them."""

SHIPMENTS_MAX = 1_000
"""Most shipments of one sale, those that were taken back left out: all of them are kept with it."""

SHIPPED_PARTS_MAX = 20_000
"""From so many lines, and lots that they were taken from, in the shipments of one sale on, no more is shipped: every
change of the sale reads and writes all of them. The shipment that goes beyond it is the last."""

RETURNED_LINES_MAX = 20_000
"""From so many lines in the returns of one sale on, no more is brought back: each return reads all of them."""

NAMELESS = "tax"
"""The name of a rate that has none, and of which the class is not known."""

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
    """A fee as it was asked for: delivery, gift wrap; `amount` in minor units.

    `tax_rate` is the sum of the rates of its class, `taxes` are its tax at each of them. A `tip` is owed to the staff.
    """

    name: str
    amount: int
    tax_class: str | None = None
    tax_rate: int = 0
    taxes: tuple[TaxShare, ...] | UnsetType = UNSET
    tip: bool | UnsetType = UNSET

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rates that it is taxed at."""
        return rates_kept(self.tax_class, self.tax_rate, None if self.taxes is UNSET else self.taxes)


class ShippedTerms(msgspec.Struct, frozen=True, gc=False):
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

    `amounts` are the (total, tax) in minor units that it booked for each of `lines`. `moved` says what left which lot.
    The first shipment of a sale has the `terms` of all its lines. The shipment that completed the sale keeps in
    `before` the status that the sale had. A shipment that an older version wrote has none of the four. A shipment
    without `lines` was taken back. It is kept for its terms alone: what is left of the sale is a share of them.
    """

    id: str
    at: int
    tracking: str | None
    lines: tuple[tuple[str, int], ...]
    actor: str
    amounts: tuple[tuple[int, int], ...] | UnsetType = UNSET
    moved: tuple[Shipped, ...] | UnsetType = UNSET
    terms: tuple[ShippedTerms, ...] | UnsetType = UNSET
    before: SaleStatus | UnsetType = UNSET


class Stated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an order came to where it was sold, in minor units: facts, which are never computed again.

    `refunded` is what was paid back there (beside goods, or in all, as its source says it), `unpaid` what was still
    owed there, `difference` (negative: less) what of the total nothing but it explained. Once lines or prices were
    `changed` here, the sale is priced here, and this only says what it was.
    """

    total: int
    tax: int
    refunded: int = 0
    unpaid: int = 0
    difference: int = 0
    changed: bool = False


class UnmappedLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A line of an order whose product is not known here yet: its place in the order, and what its source calls it.

    `quantity` is a decimal text, amounts are minor units; they become the line's when its product is known.
    """

    position: int
    quantity: str
    unit_price: int
    title: str | None = None
    sku: str | None = None
    gross: int = 0
    discount: int = 0
    tax: int = 0
    total: int = 0
    taxes: tuple[TaxShare, ...] = ()


class Sale(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A sale. `posted` is what of `total`, and `posted_tax` what of its tax, fulfilments have booked already;
    `posted_taxes` says it by rate (None: an older version booked it, or nothing was).

    `external_id` is another number of the order at its source (Shopify's numeric id beside the name #1001). A sale that
    is `tax_exempt` has no tax, for that reason; `exempted` is what prices included of it. `refunded` is what returns
    gave back or set against what was owed, before cash was rounded; `settled` is the second of the two. `ordered_at` is
    when it was ordered at its source, `stated` what it came to there, `unmapped` are lines that are no lines of the
    sale until their products are known. A checksum leaves out fields that have their default, so rows that an older
    version wrote still fit.
    """

    transitions: ClassVar[Transitions] = SALE

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
    tax_exempt: str | None = None
    exempted: int = 0
    posted_taxes: tuple[TaxShare, ...] | None = None
    refunded: int = 0
    settled: int = 0
    ordered_at: int | None = None
    stated: Stated | None = None
    unmapped: tuple[UnmappedLine, ...] | None = None

    @property
    def as_stated(self) -> bool:
        """Is its money what its source states? Then it is never computed."""
        return self.stated is not None and not self.stated.changed

    @property
    def due(self) -> int:
        """What the customer owes in all: the exact total and the rounding of its cash part."""
        return self.total + self.rounding

    @property
    def owed(self) -> int:
        """What the customer still owes, minor units: of a cart what it comes to now."""
        if self.status == CANCELLED:
            return 0
        return max(0, self.due - (self.paid - self.change) - self.settled)

    def kept_by_method(self) -> dict[Method, int]:
        """What stays of its payments by method, in minor units; of an exchange, how its goods had been paid."""
        kept: dict[Method, int] = {}
        for payment in self.payments:
            parts = ((payment.method, payment.kept),) if payment.of is UNSET else payment.of
            for method, amount in parts:
                kept[method] = kept.get(method, 0) + amount
        older = self.change - sum(payment.own_change for payment in self.payments)
        if older:  # older versions kept the change with the sale alone
            kept["cash"] -= older
        return kept

    @property
    def tips(self) -> int:
        """What of its fees is owed to the staff."""
        return sum(fee.amount for fee in self.fees if fee.tip is True)

    @property
    def unfinished(self) -> bool:
        """True while it may still change: a cart, or in the queue."""
        return self.status in (OPEN, SUSPENDED)


class SaleLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A line of a sale.

    `total` is what it costs the customer, tax included; `discount` includes its share of the sale's, `asked` is the
    line's own. `due` is its part of what was due, from which refunds are taken. `tax_rate` is the sum of the rates of
    its class, `taxes` are its tax at each of them. Units are priced in groups by `breaks`. `gift_code` is the code of
    the printed gift card that is sold. `title` is what its source calls it, where that is not the product's title.
    `key_ids` are the license keys that it got, those that came back too, and `keys_owed` how many are to follow. A
    checksum leaves out fields that have their default, so rows that an older version wrote still fit.
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
    taxes: tuple[TaxShare, ...] | None = None
    breaks: tuple[PriceBreak, ...] | None = None
    gift_code: str | None = None
    title: str | None = None
    key_ids: tuple[str, ...] | None = None
    keys_owed: int = 0

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rates that it is taxed at."""
        return rates_kept(self.tax_class, self.tax_rate, self.taxes) if self.tax_rate or self.taxes else ()

    @property
    def tax_shares(self) -> tuple[TaxShare, ...]:
        """Its tax by rate; what an older version kept has one rate."""
        if self.taxes is not None or not self.tax_rate:
            return self.taxes or ()
        return tuple(TaxShare(rate.name, rate.rate, self.total - self.tax, self.tax) for rate in self.rates)

    @property
    def open(self) -> int:
        """Units that did not go out yet."""
        return self.quantity - self.fulfilled


def rates_kept(tax_class: str | None, tax_rate: int, taxes: tuple[TaxShare, ...] | None) -> tuple[Rate, ...]:
    """The rates of what was taxed; what an older version kept has one rate, which had no name."""
    if taxes is not None:
        return tuple(Rate(share.name, share.rate) for share in taxes)
    return (Rate(tax_class or NAMELESS, tax_rate),) if tax_rate else ()


class Counter(msgspec.Struct, frozen=True, gc=False):
    """The last number that was given out; `id` is its purpose."""

    id: str
    value: int
