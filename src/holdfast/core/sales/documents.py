"""How a sale is shown: its lines with what is held and what lapsed, its receipt, its shipments.

See docs/how-to/sell.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.license_key import KeyStatus, LicenseKey
from holdfast.core.records.number import from_minor
from holdfast.core.records.product import Product
from holdfast.core.records.proportion import cash_rounded
from holdfast.core.records.sale import Fulfillment, Sale, SaleLine
from holdfast.core.records.status import COMPLETED
from holdfast.core.records.stock import Reservation
from holdfast.core.records.tax import TaxDocument, tax_documents
from holdfast.core.records.time import instant_text
from holdfast.core.records.totals import Discount, Payment
from holdfast.core.sales.gift_cards import cards_of_sale
from holdfast.core.sales.license_keys import keys_of
from holdfast.core.sales.lines import priced_today, rules_of
from holdfast.core.sales.return_record import ReturnDocument
from holdfast.core.sales.taxes import taxes_of
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import holds_of, lines_of, product_of_line

PERCENT = 10_000
"""A discount of one percent, as it is kept."""

Money = Callable[[int], str]
"""Minor units as a decimal string of the currency."""


class LicenseKeyDocument(msgspec.Struct, frozen=True, gc=False):
    """A license key of a line: `key` is encrypted until the answer is sent; a `blocked` one came back."""

    id: str
    key: str
    status: KeyStatus


class DeliveryDocument(msgspec.Struct, frozen=True, gc=False):
    """How digital units of a line were delivered: their license keys, of which some may follow, or a link."""

    method: str
    license_keys: list[LicenseKeyDocument]
    waiting: int
    download_url: str | None


class SaleLineDocument(msgspec.Struct, frozen=True, gc=False):
    """A line as the API shows it; `held` is what its holds promise, `lapsed` what nothing promises any more. `lot_id`
    is the lot that was asked for, `own_discount` the discount of the line alone, as it was asked for."""

    id: str | None
    product_id: str
    sku: str
    title: str
    quantity: int | float
    fulfilled: int | float
    returned: int | float
    backordered: int | float
    held: int | float
    lapsed: int | float
    unit_price: str
    discount: str
    tax: str
    tax_class: str | None
    taxes: list[TaxDocument]
    line_total: str
    reservations: list[str]
    lot_id: str | None
    own_discount: dict[str, Any] | None
    delivery: DeliveryDocument | UnsetType = UNSET


class StatedDocument(msgspec.Struct, frozen=True, gc=False):
    """What an order came to where it was sold; `refunded` was given back there, beside goods or in all, as its
    source says it; `changed`: lines or prices were changed here since."""

    total: str
    tax_total: str
    refunded: str
    unpaid: str
    difference: str
    changed: bool


class UnmappedLineDocument(msgspec.Struct, frozen=True, gc=False):
    """A line of an order whose product is not known here yet; `quantity` is a decimal text."""

    position: int
    title: str | None
    sku: str | None
    quantity: str
    unit_price: str
    line_total: str


class SaleDocument(msgspec.Struct, frozen=True, gc=False):
    """A sale as the API shows it. `units` is how many there are: each line of goods that are weighed counts as one.
    `discount` is that of the sale, as it was asked for. `cash_owed` is what is `owed` when all of it is paid in cash:
    the nearest coin."""

    id: str | None
    number: str | None
    order_number: str | None
    source: str
    store_id: str | None
    customer: str | None
    status: str
    lines: list[SaleLineDocument]
    units: int
    discount: dict[str, Any] | None
    subtotal: str
    discount_total: str
    tax_total: str
    taxes: list[TaxDocument]
    tax_exempt: dict[str, str] | None
    fee_total: str
    total: str
    rounding: str
    paid: str
    change: str
    owed: str
    cash_owed: str
    payments: list[dict[str, Any]]
    fees: list[dict[str, Any]]
    fulfillments: list[dict[str, Any]]
    returns: list[ReturnDocument]
    gift_cards: list[dict[str, str]]
    receipt: dict[str, Any] | None
    conflict: bool
    ordered_at: str | None
    stated: StatedDocument | None
    unmapped_lines: list[UnmappedLineDocument]
    cashier: str
    created_at: str | None
    updated_at: str | None


def describe_sale(stock: Stock, sale: Sale, returns: Sequence[ReturnDocument] = ()) -> SaleDocument:
    """The public shape of a sale as it stands now, with the `returns` that it was exchanged for."""
    sale, lines = priced_today(stock, sale, lines_of(stock, sale))
    holds = holds_of(stock, sale) if sale.unfinished else []
    return sale_document(
        sale,
        lines,
        {line.product_id: product_of_line(stock, line) for line in lines},
        holds,
        stock.settings.minor_digits,
        stock.settings.currency,
        cash_step=rules_of(stock).cash_rounding,
        keys=keys_of(stock, lines),
        returns=returns,
        gift_cards=_sold_cards(stock, sale, lines),
    )


def _sold_cards(stock: Stock, sale: Sale, lines: Sequence[SaleLine]) -> list[dict[str, str]]:
    """The gift cards that a completed sale has sold, with their codes: for who sells them."""
    if sale.status != COMPLETED or not any(line.kind == "gift_card" for line in lines):
        return []
    digits = stock.settings.minor_digits
    return [card_facts(card.code, card.issued, digits) for card in cards_of_sale(stock, sale.id)]


def card_facts(code: str, amount: int, digits: int) -> dict[str, str]:
    """A gift card as a sale shows it."""
    return {"code": code, "amount": from_minor(amount, digits)}


def sale_document(
    sale: Sale,
    lines: list[SaleLine],
    products: dict[str, Product],
    holds: list[Reservation],
    digits: int,
    currency: str,
    *,
    cash_step: int = 0,
    quoted: bool = False,
    keys: Mapping[str, LicenseKey] | None = None,
    returns: Sequence[ReturnDocument] = (),
    gift_cards: Sequence[dict[str, str]] = (),
) -> SaleDocument:
    """The public shape of a sale from its parts; a quoted one was never kept and has no ids. `keys` are the license
    keys of its lines by id, `returns` those that paid for it, `gift_cards` those that it sold, `cash_step` the smallest
    coin in minor units."""

    def money(amount: int) -> str:
        return from_minor(amount, digits)

    shown = _line_documents(sale, lines, products, holds, digits, keys or {}, quoted=quoted)
    product_of = {line.id: products[line.product_id] for line in lines}
    payments = [_payment(sale, payment, money) for payment in sale.payments]
    finished = sale.status == COMPLETED or quoted
    taxes = tax_documents(taxes_of(sale, lines), digits)
    exempt = None if sale.tax_exempt is None else {"reason": sale.tax_exempt, "amount": money(sale.exempted)}
    return SaleDocument(
        id=None if quoted else sale.id,
        number=None if quoted else sale.number,
        order_number=None if quoted else sale.order_number,
        source=sale.source,
        store_id=sale.store_id,
        customer=sale.customer,
        status=sale.status,
        lines=shown,
        units=sum(1 if products[line.product_id].precision else line.quantity for line in lines),
        discount=_discount(sale.discount, money),
        subtotal=money(sale.subtotal),
        discount_total=money(sale.discount_total),
        tax_total=money(sale.tax_total),
        taxes=taxes,
        tax_exempt=exempt,
        fee_total=money(sale.fee_total),
        total=money(sale.total),
        rounding=money(sale.rounding),
        paid=money(sale.paid),
        change=money(sale.change),
        owed=money(sale.owed),
        cash_owed=money(cash_rounded(sale.owed, cash_step)),
        payments=payments,
        fees=_fees(sale, money),
        fulfillments=[_shipment(part, product_of) for part in sale.fulfillments if part.lines],
        returns=list(returns),
        gift_cards=list(gift_cards),
        receipt=_receipt(sale, shown, taxes, payments, returns, gift_cards, money, currency, quoted=quoted)
        if finished
        else None,
        conflict=any(line.backordered for line in shown),
        ordered_at=None if quoted else instant_text(sale.created_at if sale.ordered_at is None else sale.ordered_at),
        stated=_stated(sale, money),
        unmapped_lines=_unmapped(sale, money),
        cashier=sale.actor,
        created_at=None if quoted else instant_text(sale.created_at),
        updated_at=None if quoted else instant_text(sale.updated_at),
    )


def _discount(asked: Discount | None, money: Money) -> dict[str, Any] | None:
    """A discount as it was asked for: {"percent": 10} or {"amount": "1.00"}."""
    if asked is None:
        return None
    if asked.amount is not None:
        return {"amount": money(asked.amount)}
    assert asked.percent is not None
    whole, rest = divmod(asked.percent, PERCENT)
    return {"percent": asked.percent / PERCENT if rest else whole}


def _fees(sale: Sale, money: Money) -> list[dict[str, Any]]:
    """The fees as the API shows them."""
    return [
        {"name": fee.name, "amount": money(fee.amount), "tax_class": fee.tax_class, "tip": fee.tip is True}
        for fee in sale.fees
    ]


def _unmapped(sale: Sale, money: Money) -> list[UnmappedLineDocument]:
    """The lines of an order that wait for their product."""
    return [
        UnmappedLineDocument(
            line.position, line.title, line.sku, line.quantity, money(line.unit_price), money(line.total)
        )
        for line in sale.unmapped or ()
    ]


def _stated(sale: Sale, money: Money) -> StatedDocument | None:
    """What the order's source states of its money."""
    said = sale.stated
    if said is None:
        return None
    return StatedDocument(
        money(said.total),
        money(said.tax),
        money(said.refunded),
        money(said.unpaid),
        money(said.difference),
        said.changed,
    )


def _payment(sale: Sale, payment: Payment, money: Money) -> dict[str, Any]:
    """A payment as the API shows it; what went back is below zero."""
    at = sale.completed_at if payment.at is UNSET else payment.at
    return {
        "id": None if payment.id is UNSET else payment.id,
        "method": payment.method,
        "amount": money(payment.amount),
        "change": money(payment.own_change),
        "at": None if at is None else instant_text(at),
        "cashier": sale.actor if payment.actor is UNSET else payment.actor,
        "returns": [] if payment.returns is UNSET else list(payment.returns),
    }


def _line_documents(
    sale: Sale,
    lines: list[SaleLine],
    products: dict[str, Product],
    holds: list[Reservation],
    digits: int,
    keys: Mapping[str, LicenseKey],
    *,
    quoted: bool,
) -> list[SaleLineDocument]:
    of_line: dict[str | None, list[Reservation]] = {}
    for hold in holds:
        of_line.setdefault(hold.sale_line_id, []).append(hold)
    return [
        _line_document(sale, line, products[line.product_id], of_line.get(line.id, []), digits, keys, quoted=quoted)
        for line in lines
    ]


def _line_document(
    sale: Sale,
    line: SaleLine,
    product: Product,
    own: list[Reservation],
    digits: int,
    keys: Mapping[str, LicenseKey],
    *,
    quoted: bool,
) -> SaleLineDocument:
    def money(amount: int) -> str:
        return from_minor(amount, digits)

    held = sum(hold.open for hold in own)
    lapsed = line.open - held if line.kind == "stock" and sale.unfinished and not quoted else 0
    return SaleLineDocument(
        id=None if quoted else line.id,
        product_id=product.id,
        sku=product.sku,
        title=line.title or product.title,
        quantity=product.number(line.quantity),
        fulfilled=product.number(line.fulfilled),
        returned=product.number(line.returned),
        backordered=product.number(sum(hold.backordered for hold in own)),
        held=product.number(held),
        lapsed=product.number(max(lapsed, 0)),
        unit_price=money(line.unit_price),
        discount=money(line.discount),
        tax=money(line.tax),
        tax_class=line.tax_class,
        taxes=tax_documents(line.tax_shares, digits),
        line_total=money(line.total),
        reservations=list(line.reservations),
        lot_id=line.lot_id,
        own_discount=_discount(line.asked, money),
        delivery=UNSET if quoted else _delivery(line, product, keys),
    )


def _delivery(line: SaleLine, product: Product, keys: Mapping[str, LicenseKey]) -> DeliveryDocument | UnsetType:
    """What was delivered of the line; nothing where nothing went out of it, or nothing is delivered by us."""
    own = [keys[name] for name in line.key_ids or ()]
    method = "license_key" if own or line.keys_owed else product.digital_delivery_method
    if method is None or line.kind != "unlimited" or not line.fulfilled:
        return UNSET
    shown = [LicenseKeyDocument(key.id, key.encrypted, key.status) for key in own]
    return DeliveryDocument(method, shown, line.keys_owed, product.download_url if method == "download" else None)


def _receipt(
    sale: Sale,
    lines: list[SaleLineDocument],
    taxes: list[TaxDocument],
    payments: list[dict[str, Any]],
    returns: Sequence[ReturnDocument],
    gift_cards: Sequence[dict[str, str]],
    money: Money,
    currency: str,
    *,
    quoted: bool,
) -> dict[str, Any]:
    """What the customer gets on paper."""
    return {
        "number": None if quoted else sale.number,
        "currency": currency,
        "completed_at": None if sale.completed_at is None else instant_text(sale.completed_at),
        "lines": [_printed_line(line) for line in lines],
        "taxes": taxes,
        "tax_exempt": sale.tax_exempt,
        "total": money(sale.total),
        "rounding": money(sale.rounding),
        "due": money(sale.due),
        "payments": payments,
        "change": money(sale.change),
        "owed": money(0 if quoted else sale.owed),
        "gift_cards": list(gift_cards),
        "returned": [
            {
                "lines": [{"sku": line.sku, "quantity": line.quantity, "refund": line.refund} for line in one.lines],
                "refunds": one.refunds,
                "refund_total": one.refund_total,
                "taxes": one.taxes,
            }
            for one in returns
        ],
    }


def _printed_line(line: SaleLineDocument) -> dict[str, Any]:
    """A line on paper, with the keys that are the buyer's."""
    printed: dict[str, Any] = {name: getattr(line, name) for name in _PRINTED}
    if line.delivery is not UNSET:
        printed["license_keys"] = [key.key for key in line.delivery.license_keys if key.status == "sold"]
        printed["download_url"] = line.delivery.download_url
    return printed


_PRINTED = ("title", "quantity", "unit_price", "discount", "tax", "line_total")


def _shipment(part: Fulfillment, product_of: dict[str, Product]) -> dict[str, Any]:
    """A shipment as the API shows it; `product_of` by line id."""
    return {
        "id": part.id,
        "at": instant_text(part.at),
        "tracking": part.tracking,
        "lines": [{"line_id": line_id, "quantity": product_of[line_id].number(units)} for line_id, units in part.lines],
    }
