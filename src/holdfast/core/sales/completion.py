"""Completion: goods of a sale against its money. It is completed, shipped in parts, or given up (docs/how-to/sell.md).

The problem. A sale promises goods and money at once, and they part ways: goods go out in parcels, on several days, from
several lots; money is one amount, with a discount on the whole, tax, and cents that do not divide. The books must
balance after each parcel, and the parcels must add up to exactly the sale. The rest may be given up at any time.

Worked examples, of mugs that cost 4.00 each. At once: 2 at 9.90, paid with 20.00 in cash. In parts: 3 at 10.00 with
20.00 off the whole, so the sale is 10.00. Given up: 3 at 10.00, of which one was shipped before.

    at once     total 19.80, change 0.20; books: cash 19.80, revenue 19.80, cost of goods 8.00
    ship 1      revenue 3.34, the customer owes 3.34
    ship 1      revenue 3.33, the customer owes 6.67
    complete    revenue 3.33: the last part takes the rest; the customer owes 10.00
    given up    (the third sale) 2 go back to the shelf; it is completed with what was shipped: 10.00

The design. Units of a cart or an order leave in one function, `fulfil_line`: from the line's holds, the oldest first.
(A checkout takes them from the shelf, `core.sales.checkout`.) A shipment keeps its amounts, lots and holds, so that it
can be taken back (`core.sales.correction`). The first part is priced by the tax rates of its day; from then on the
amounts stand. A part of an amount is its proportion, the last part takes the rest. Completing books what shipments have
not booked; what is not paid stays receivable. A hold that lapsed competes again. What no stock backs cannot be
completed; what is there can be shipped.

What was left out. A shipment takes no payment: a sale whose last part is shipped stays to be paid. Goods of a completed
sale come back by a return, a mistaken shipment by its correction. Change is given from cash only.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.number import Number, to_minor
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_reserved,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.records.sale import SHIPMENTS_MAX, Fulfillment, Sale, SaleLine, Shipped
from holdfast.core.records.status import CANCELLED, COMPLETED, OPEN, SHIPPED
from holdfast.core.records.tax import less
from holdfast.core.records.totals import Method, Payment, Receipt, due_by_line, kept_by_method
from holdfast.core.records.wants import SupplierOrderById
from holdfast.core.reservations.adoption import release_rest
from holdfast.core.reservations.sourcing import adjust_hold, release_all
from holdfast.core.sales.cart import CancelSale, reprice_if_it_can_be, sale_facts
from holdfast.core.sales.documents import SaleDocument, describe_sale
from holdfast.core.sales.license_keys import deliver, seek_keys, withdraw_open
from holdfast.core.sales.lines import kept_receipt, put_receipt, rated, receipt_of
from holdfast.core.sales.register import SessionTotals, add_to_session, open_session_of
from holdfast.core.sales.shipment import amounts_of, cut_lines, terms_now, with_terms
from holdfast.core.sales.supplier_orders import (
    SupplierOrder,
    SupplierOrderDocument,
    order_from_supplier,
    supplier_order_document,
    withdraw_supplier_orders,
)
from holdfast.core.sales.taxes import taxes_booked, taxes_left, taxes_of
from holdfast.core.stock.holds import consume_units
from holdfast.core.stock.journal import (
    RECEIVABLE,
    REVENUE,
    ROUNDING,
    TIPS,
    Line,
    paid_by,
    stage_money,
    tax_payable,
)
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import (
    find_sale,
    holds_of,
    lines_of,
    product_of_line,
    refuse_finished_sale,
    taken_since,
)

replace = msgspec.structs.replace


class PaymentRequest(msgspec.Struct, frozen=True, gc=False):
    """What the customer hands over; `amount` a decimal string."""

    method: Method
    amount: str


class CompleteSale(Command, frozen=True, gc=False):
    """Sell a sale that is open or in the queue; without `payments` it stays to be paid (receivable)."""

    sale_id: str
    payments: tuple[PaymentRequest, ...] | None = None


class ShipLine(msgspec.Struct, frozen=True, gc=False):
    """How much of a line goes out."""

    line_id: str
    quantity: Number


class Fulfill(Command, frozen=True, gc=False):
    """Ship a part of a sale; when nothing is open any more the sale is completed."""

    sale_id: str
    lines: tuple[ShipLine, ...]
    tracking: str | None = None


class ShipSupplierOrder(Command, frozen=True, gc=False):
    """The supplier has shipped."""

    supplier_order_id: str
    tracking: str | None = None


def complete_sale(stock: Stock, command: CompleteSale) -> SaleDocument:
    """Decide a CompleteSale."""
    sale = find_sale(stock, command.sale_id)
    payments = payments_of(stock, command.payments)
    refuse_finished_sale(sale)
    lines = lines_of(stock, sale)
    if not lines:
        raise invalid_state("The sale has no lines.")
    if not sale.fulfillments:
        sale, lines = rated(stock, sale, lines)
    receipt = receipt_of(stock, sale, lines, payments)
    open_session_of(stock)
    _cover(stock, sale, lines)
    sale = put_receipt(stock, sale, lines_as_they_stand(stock, lines), receipt)
    for line in lines_of(stock, sale):
        fulfil_line(stock, sale, line, line.open)
    _consume_others(stock, sale)
    sale = finish(stock, sale, receipt, payments or ())
    return describe_sale(stock, sale)


def _consume_others(stock: Stock, sale: Sale) -> None:
    """Holds that name the sale but none of its lines are sold as well; what is over of any goes back."""
    for name in [hold.id for hold in holds_of(stock, sale) if hold.sale_line_id is None]:
        hold = stock.reservations[name]
        if hold.allocated:
            consume_units(stock, hold, hold.allocated, ref_id=sale.id)
    release_all(stock, sale, "cancelled")
    release_rest(stock, sale, "cancelled")


def payments_of(stock: Stock, asked: tuple[PaymentRequest, ...] | None) -> tuple[Payment, ...] | None:
    """The payments in minor units."""
    if asked is None:
        return None
    payments = []
    for payment in asked:
        amount = to_minor(payment.amount, stock.settings.minor_digits)
        if amount is None or amount < 0:
            raise Refused(Code.INVALID_AMOUNT, f"The payment {payment.amount[:40]!r} is not an amount of money.")
        payments.append(Payment(payment.method, amount))
    return tuple(payments)


def _cover(stock: Stock, sale: Sale, lines: list[SaleLine]) -> None:
    """Let lapsed holds compete again; every line that is short or waits is named."""

    keys: dict[str, int] = {}

    def cover(_: int, line: SaleLine) -> None:
        if line.kind != "stock":
            seek_keys(stock, sale, line, line.open, keys)
            return
        current = stock.row(SaleLine, line.id)
        assert current is not None
        held = adjust_hold(stock, sale, current)
        if held != current:
            stock.put_row(held)
        waiting = sum(hold.backordered for hold in stock.holds_of_line(line.id))
        if waiting:
            product = product_of_line(stock, line)
            words = f"{product.number(waiting)} of {product.sku} wait for stock: ship what is there."
            raise insufficient_reserved(product, words, line.open, line.open - waiting, waiting)

    stock.each_line(lines, cover)


def fulfil_line(stock: Stock, sale: Sale, line: SaleLine, units: int, *, fact: bool = False) -> None:
    """Units of a line leave: from what its holds have, oldest hold first; unlimited and supplied ones just go, digital
    ones with their license keys. Of a `fact` the keys may follow."""
    taken = line.taken
    if line.kind == "stock":
        left = units
        before = len(stock.entries)
        for hold in stock.holds_of_line(line.id):
            part = min(left, hold.allocated)
            if part:
                consume_units(stock, hold, part, ref_id=sale.id)
                left -= part
        assert left == 0, (line, units)
        taken = taken_since(stock, before, taken)
    elif line.kind == "dropship":
        order_from_supplier(stock, sale, line)
    current = stock.row(SaleLine, line.id)
    assert current is not None
    current = replace(current, fulfilled=current.fulfilled + units, taken=taken, updated_at=stock.now)
    stock.put_row(deliver(stock, sale, current, fact=fact) if line.kind == "unlimited" else current)


def finish(stock: Stock, sale: Sale, receipt: Receipt, payments: tuple[Payment, ...]) -> Sale:
    """The sale is done: each line knows what was due for it, and the money is settled."""
    for line, due in zip(lines_of(stock, sale), due_by_line(receipt), strict=True):
        stock.put_row(replace(line, due=due, updated_at=stock.now))
    return take_payment(stock, sale, receipt, payments)


def take_payment(stock: Stock, sale: Sale, receipt: Receipt, payments: tuple[Payment, ...]) -> Sale:
    """The sale, all lines of which went out, is completed: the drawer knows what was paid, the rest is receivable."""
    _stage_sale_money(stock, sale, receipt, payments)
    sale = replace(
        sale,
        status=COMPLETED,
        payments=payments,
        posted=receipt.total,
        posted_tax=receipt.tax_total,
        posted_taxes=taxes_of(sale, lines_of(stock, sale)) or None,
        session_id=stock.caller.session_id,
        actor=stock.caller.actor,
        completed_at=stock.now,
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(sale)
    if stock.caller.session_id is not None:
        kept = kept_by_method(payments, receipt.change)
        more = SessionTotals(cash_sales=kept.get("cash", 0), by_method=kept, sales=1, taxes=sale.posted_taxes or ())
        add_to_session(stock, more)
    stock.tell("SaleCompleted", None, sale_facts(stock, sale))
    return sale


def _stage_sale_money(stock: Stock, sale: Sale, receipt: Receipt, payments: tuple[Payment, ...]) -> None:
    """Book what fulfilments have not: revenue and tax against payments; what is unpaid stays receivable."""
    kept = kept_by_method(payments, receipt.change)
    money: list[Line] = [paid_by(method, amount) for method, amount in kept.items()]
    money.append((RECEIVABLE, receipt.total + receipt.rounding - sum(kept.values()) - sale.posted))
    tax = receipt.tax_total - sale.posted_tax
    money += tax_payable(taxes_left(sale, lines_of(stock, sale)))
    money.append((TIPS, -sale.tips))
    money.append((REVENUE, -(receipt.total - sale.posted - tax - sale.tips)))
    money.append((ROUNDING, -receipt.rounding))
    stage_money(stock, "SALE", sale.id, f"Sale {sale.number}", money, sale.store_id)


def fulfill(stock: Stock, command: Fulfill) -> SaleDocument:
    """Decide a Fulfill: what goes out is consumed and booked as its share of the line.

    Where all went out by the holds themselves nothing is left to ship, which is refused: a CompleteSale ends such a
    sale.
    """
    sale = find_sale(stock, command.sale_id)
    asked = _asked_units(stock, sale, command)
    refuse_finished_sale(sale)
    if not any(line.open for line in lines_of(stock, sale)):
        raise invalid_state("All of the sale has gone out: complete it.", sale_status=sale.status)
    _refuse_unbacked(stock, sale, asked)
    return describe_sale(stock, _ship(stock, sale, asked, command.tracking))


def _ship(stock: Stock, sale: Sale, asked: dict[str, int], tracking: str | None) -> Sale:
    """Units of the lines go out and are booked; with the last of them the sale is completed.

    What the first of them takes is computed by today's rates, as a completion is; from then on the amounts stand.
    """
    if len(sale.fulfillments) >= SHIPMENTS_MAX:
        raise invalid_state(f"The sale has {SHIPMENTS_MAX:,} shipments: complete it.", sale_status=sale.status)
    if not sale.fulfillments:
        sale = reprice_if_it_can_be(stock, sale)
    lines = {line.id: line for line in lines_of(stock, sale)}
    sale = with_terms(sale, list(lines.values()))
    amounts = amounts_of(sale, list(lines.values()), asked)
    total, tax = sum(part[0] for part in amounts), sum(part[1] for part in amounts)
    moved: list[Shipped] = []
    for line_id, units in asked.items():
        first = len(stock.entries)
        fulfil_line(stock, sale, lines[line_id], units)
        moved += _moved_since(stock, first, line_id)
    part = Fulfillment(
        id=stock.new_id(),
        at=stock.now,
        tracking=tracking,
        lines=tuple(asked.items()),
        actor=stock.caller.actor,
        amounts=amounts,
        moved=tuple(moved),
        terms=UNSET if sale.fulfillments else terms_now(list(lines.values())),
    )
    before = sale
    sale = replace(
        sale,
        fulfillments=(*sale.fulfillments, part),
        posted=sale.posted + total,
        posted_tax=sale.posted_tax + tax,
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(sale)
    stock.tell("SaleFulfilled", None, {**sale_facts(stock, sale), "fulfillment_id": part.id, "tracking": part.tracking})
    if any(line.open for line in lines_of(stock, sale) if line.kind != "unlimited"):
        taxes = taxes_booked(sale, list(lines.values()))
        sale = replace(sale, posted_taxes=taxes)
        stock.put_row(sale)
        more = less(taxes, taxes_booked(before, list(lines.values())))
        money = [(RECEIVABLE, total), *tax_payable(more), (REVENUE, -(total - tax))]
        stage_money(stock, "SALE", sale.id, f"Sale {sale.number}, shipped in part", money, sale.store_id)
        return sale
    sale = replace(sale, posted=sale.posted - total, posted_tax=sale.posted_tax - tax)
    return finish_shipped(stock, sale)


def _moved_since(stock: Stock, first_entry: int, line_id: str) -> list[Shipped]:
    """What SALE entries from that number on took from which lots by which holds."""
    return [
        Shipped(
            line_id,
            entry.reservation_id,
            entry.lot_id,
            entry.location_id,
            -entry.qty_delta,
            -entry.value_delta,
        )
        for entry in stock.entries[first_entry:]
        if entry.ref_type == "SALE" and entry.lot_id is not None and entry.reservation_id is not None
    ]


def _asked_units(stock: Stock, sale: Sale, command: Fulfill) -> dict[str, int]:
    """Units to ship by line; a line named twice counts once, with the sum."""
    if not command.lines:
        raise Refused(Code.INVALID_REQUEST, "There is nothing to ship.", {"field": "lines"})
    lines = {line.id: line for line in lines_of(stock, sale)}
    asked: dict[str, int] = {}
    for part in command.lines:
        line = lines.get(part.line_id)
        if line is None:
            raise not_found(Code.NOT_FOUND, "Line", part.line_id)
        product = product_of_line(stock, line)
        units = product.units(part.quantity)
        if units is None or units <= 0:
            raise invalid_quantity(product, part.quantity)
        asked[line.id] = asked.get(line.id, 0) + units
    return asked


def _refuse_unbacked(stock: Stock, sale: Sale, asked: dict[str, int]) -> None:
    """Refuse to ship what is not backed by stock, or not open any more; every such line is named."""

    keys: dict[str, int] = {}

    def test(_: int, line: SaleLine) -> None:
        units = asked.get(line.id, 0)
        if units:
            seek_keys(stock, sale, line, units, keys)
        holds = stock.holds_of_line(line.id) if units else []
        backed = sum(hold.allocated for hold in holds) if line.kind == "stock" else line.open
        if units > min(backed, line.open):
            product = product_of_line(stock, line)
            words = f"{product.number(units)} of {product.sku} asked for, {product.number(backed)} can go out."
            waiting = sum(hold.backordered for hold in holds)
            raise insufficient_reserved(product, words, units, backed, waiting)

    stock.each_line(lines_of(stock, sale), test)


def finish_shipped(stock: Stock, sale: Sale) -> Sale:
    """All went out: digital lines count as fulfilled, the last part takes the rest of the money.

    The last shipment remembers how the sale stood before, so that it can be taken back: unless a hold beside the lines
    is sold with them.
    """
    beside = any(hold.sale_line_id is None for hold in holds_of(stock, sale))
    if sale.fulfillments and not beside:
        last = replace(sale.fulfillments[-1], before=sale.status)
        sale = replace(sale, fulfillments=(*sale.fulfillments[:-1], last))
    keys: dict[str, int] = {}
    stock.each(lines_of(stock, sale), lambda _, line: seek_keys(stock, sale, line, line.open, keys, fact=True))
    for line in lines_of(stock, sale):
        if line.open:
            fulfil_line(stock, sale, line, line.open, fact=True)
    _consume_others(stock, sale)
    return finish(stock, sale, kept_receipt(stock, sale), ())


def cancel_sale(stock: Stock, command: CancelSale) -> SaleDocument:
    """Decide a CancelSale: the holds go back; what was shipped stays sold, and the sale is completed with it."""
    sale = find_sale(stock, command.sale_id)
    refuse_finished_sale(sale)
    release_all(stock, sale, "voided")
    release_rest(stock, sale, "voided")
    withdraw_supplier_orders(stock, sale)
    withdraw_open(stock, sale)
    if any(line.fulfilled for line in lines_of(stock, sale)):
        return describe_sale(stock, finish_shipped(stock, _cut_to_shipped(stock, sale)))
    sale = replace(sale, status=CANCELLED, updated_at=max(stock.now, sale.updated_at))
    stock.put_row(sale)
    stock.tell("SaleCancelled", None, sale_facts(stock, sale))
    return describe_sale(stock, sale)


def _cut_to_shipped(stock: Stock, sale: Sale) -> Sale:
    """The sale as if only what was shipped had been ordered, with its fees; amounts are the shares that were booked.

    What went out by its holds alone is written down as shipped, so that it shows why its amounts stand as they do.
    """
    lines = lines_of(stock, sale)
    if not sale.fulfillments:
        gone = {line.id: line.fulfilled for line in lines if line.fulfilled}
        amounts = amounts_of(sale, lines, gone)
        part = Fulfillment(
            stock.new_id(),
            stock.now,
            None,
            tuple(gone.items()),
            stock.caller.actor,
            amounts,
            terms=terms_now(lines),
        )
        sale = replace(sale, fulfillments=(part,))
    return cut_lines(stock, sale, {line.id: line.fulfilled for line in lines})


def lines_as_they_stand(stock: Stock, lines: list[SaleLine]) -> list[SaleLine]:
    """The same lines as they stand now, with the tax rates that were found for them."""
    current = []
    for line in lines:
        now = stock.row(SaleLine, line.id)
        assert now is not None
        current.append(replace(now, tax_rate=line.tax_rate, taxes=line.taxes))
    return current


def ship_supplier_order(stock: Stock, command: ShipSupplierOrder) -> SupplierOrderDocument:
    """Decide a ShipSupplierOrder."""
    stock.require(SupplierOrderById(command.supplier_order_id))
    order = stock.row(SupplierOrder, command.supplier_order_id)
    if order is None:
        raise not_found(Code.NOT_FOUND, "Supplier order", command.supplier_order_id)
    sale = find_sale(stock, order.sale_id)
    if order.status != OPEN:
        raise invalid_state(f"The supplier order is {order.status}.")
    order = replace(order, status=SHIPPED, tracking=command.tracking, updated_at=stock.now)
    stock.put_row(order)
    line = stock.row(SaleLine, order.line_id)
    if sale.unfinished and line is not None and line.open:
        shipped = _ship(stock, sale, {line.id: line.open}, command.tracking)
        assert shipped.id == sale.id
    product = stock.catalog.product(order.product_id)
    assert product is not None
    stock.tell(
        "SupplierOrderShipped",
        product.id,
        {
            "supplier_order_id": order.id,
            "sale_id": order.sale_id,
            "store_id": sale.store_id,
            "product_id": product.id,
            "tracking": order.tracking,
        },
    )
    return supplier_order_document(order, product)


DECISIONS = (
    Decision(CancelSale, cancel_sale, Permission.SELL),
    Decision(CompleteSale, complete_sale, Permission.SELL),
    Decision(Fulfill, fulfill, Permission.SELL),
    Decision(ShipSupplierOrder, ship_supplier_order, Permission.STOCK),
)
