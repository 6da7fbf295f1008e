"""How a sale is shown: its lines with what is held and what lapsed, its receipt, its shipments.

See docs/how-to/sell.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.license_key import KeyStatus, LicenseKey
from holdfast.core.records.number import from_minor
from holdfast.core.records.product import Product
from holdfast.core.records.sale import Fulfillment, Sale, SaleFee, SaleLine
from holdfast.core.records.status import COMPLETED
from holdfast.core.records.stock import Reservation
from holdfast.core.records.tax import TaxDocument, tax_documents
from holdfast.core.records.time import instant_text
from holdfast.core.sales.license_keys import keys_of
from holdfast.core.sales.lines import priced_today
from holdfast.core.sales.taxes import taxes_of
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import holds_of, lines_of, product_of_line

Money = Callable[[int], str]
"""Minor units as a decimal string of the currency."""


class KeyDocument(msgspec.Struct, frozen=True, gc=False):
    """A license key of a line: `key` is encrypted until the answer is sent; a `blocked` one came back."""

    id: str
    key: str
    status: KeyStatus


class DeliveryDocument(msgspec.Struct, frozen=True, gc=False):
    """How digital units of a line were delivered: their license keys, of which some may follow, or a link."""

    method: str
    license_keys: list[KeyDocument]
    waiting: int
    download_url: str | None


class SaleLineDocument(msgspec.Struct, frozen=True, gc=False):
    """A line as the API shows it; `held` is what its holds promise, `lapsed` what nothing promises any more."""

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
    delivery: DeliveryDocument | UnsetType = UNSET


class SaleDocument(msgspec.Struct, frozen=True, gc=False):
    """A sale as the API shows it."""

    id: str | None
    number: str | None
    order_number: str | None
    source: str
    store_id: str | None
    customer: str | None
    status: str
    lines: list[SaleLineDocument]
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
    payments: list[dict[str, str]]
    fees: list[dict[str, Any]]
    fulfillments: list[dict[str, Any]]
    receipt: dict[str, Any] | None
    conflict: bool
    cashier: str
    created_at: str | None
    updated_at: str | None


def describe_sale(stock: Stock, sale: Sale) -> SaleDocument:
    """The public shape of a sale as it stands now."""
    sale, lines = priced_today(stock, sale, lines_of(stock, sale))
    holds = holds_of(stock, sale) if sale.unfinished else []
    return sale_document(
        sale,
        lines,
        {line.product_id: product_of_line(stock, line) for line in lines},
        holds,
        stock.settings.minor_digits,
        stock.settings.currency,
        keys=keys_of(stock, lines),
    )


def sale_document(
    sale: Sale,
    lines: list[SaleLine],
    products: dict[str, Product],
    holds: list[Reservation],
    digits: int,
    currency: str,
    *,
    quoted: bool = False,
    keys: Mapping[str, LicenseKey] | None = None,
) -> SaleDocument:
    """The public shape of a sale from its parts; a quoted one was never kept and has no ids. `keys` are the license
    keys of its lines by id."""

    def money(amount: int) -> str:
        return from_minor(amount, digits)

    holds_of: dict[str | None, list[Reservation]] = {}
    for hold in holds:
        holds_of.setdefault(hold.sale_line_id, []).append(hold)
    shown = [
        _line_document(
            sale, line, products[line.product_id], holds_of.get(line.id, []), digits, keys or {}, quoted=quoted
        )
        for line in lines
    ]
    product_of = {line.id: products[line.product_id] for line in lines}
    payments = [{"method": payment.method, "amount": money(payment.amount)} for payment in sale.payments]
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
        payments=payments,
        fees=[
            {"name": fee.name, "amount": money(fee.amount), "tax_class": fee.tax_class, "tip": fee.tip is True}
            for fee in sale.fees
        ],
        fulfillments=[_shipment(part, product_of) for part in sale.fulfillments if part.lines],
        receipt=_receipt(sale, shown, taxes, payments, money, currency, quoted=quoted) if finished else None,
        conflict=any(line.backordered for line in shown),
        cashier=sale.actor,
        created_at=None if quoted else instant_text(sale.created_at),
        updated_at=None if quoted else instant_text(sale.updated_at),
    )


def _fee(fee: SaleFee, money: Money) -> dict[str, Any]:
    """A fee as the API shows it."""
    return {
        "name": fee.name,
        "amount": money(fee.amount),
        "tax_class": fee.tax_class,
        "tip": fee.tip is True,
    }


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
        title=product.title,
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
        delivery=UNSET if quoted else _delivery(line, product, keys),
    )


def _delivery(line: SaleLine, product: Product, keys: Mapping[str, LicenseKey]) -> DeliveryDocument | UnsetType:
    """What was delivered of the line; nothing where nothing went out of it, or nothing is delivered by us."""
    own = [keys[name] for name in line.key_ids or ()]
    method = "license_key" if own or line.keys_owed else product.digital_delivery_method
    if method is None or line.kind != "unlimited" or not line.fulfilled:
        return UNSET
    shown = [KeyDocument(key.id, key.encrypted, key.status) for key in own]
    return DeliveryDocument(method, shown, line.keys_owed, product.download_url if method == "download" else None)


def _receipt(
    sale: Sale,
    lines: list[SaleLineDocument],
    taxes: list[TaxDocument],
    payments: list[dict[str, str]],
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
