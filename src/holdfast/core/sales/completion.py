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

The design. Units of a line leave in one function, `fulfil_line`: from the line's holds, the oldest first. (Beside it: a
checkout takes them from the shelf; a hold that is consumed by itself, `core.stock.holds`; `_consume_others`.) A
shipment keeps its amounts, lots and holds, so that it can be taken back (`core.sales.correction`). The first part is
priced by the tax rates of its day; from then on the amounts stand. A part of an amount is its proportion, the last part
takes the rest. Completing books what shipments have not booked; what is not paid stays receivable. A hold that lapsed
competes again. What no stock backs cannot be completed; what is there can be shipped.

What was left out. A shipment takes no payment: what deposits do not cover when the last part is shipped is owed, and
paid later (`core.sales.payments`). Goods of a completed sale come back by a return, a mistaken shipment by its
correction. Change is given from cash only.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.number import Number
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_reserved,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.records.sale import WITHOUT_GOODS, Fulfillment, Sale, SaleLine, Shipped
from holdfast.core.records.status import CANCELLED, COMPLETED, OPEN, SHIPPED
from holdfast.core.records.tax import less
from holdfast.core.records.totals import Payment, Receipt, due_by_line, standing
from holdfast.core.records.wants import SupplierOrderById
from holdfast.core.reservations.adoption import release_rest
from holdfast.core.reservations.sourcing import adjust_hold, release_all
from holdfast.core.sales.cart import CancelSale, reprice_if_it_can_be, sale_facts
from holdfast.core.sales.documents import SaleDocument, describe_sale
from holdfast.core.sales.exchange import Exchanged, described_returns, pay_out, payment_in_goods, take_in
from holdfast.core.sales.gift_cards import issue_cards, refuse_unpaid_cards
from holdfast.core.sales.license_keys import ask_for_keys, deliver, withdraw_open
from holdfast.core.sales.lines import put_receipt, rated, receipt_of
from holdfast.core.sales.payments import (
    PaymentRequest,
    give_back,
    kept_with_sale,
    line_of,
    payments_of,
    take_at_till,
)
from holdfast.core.sales.register import SessionTotals, refuse_closed_session
from holdfast.core.sales.shipment import (
    amounts_of,
    cut_lines,
    moved_since,
    refuse_more_shipments,
    terms_now,
    with_terms,
)
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
    GIFT_CARDS,
    RECEIVABLE,
    REVENUE,
    ROUNDING,
    TIPS,
    Line,
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


UNMAPPED_NAMED_MAX = 5
"""Lines without a product that a refusal names."""


class CompleteSale(Command, frozen=True, gc=False):
    """Sell a sale that is open or in the queue; without `payments` what deposits leave of it stays to be paid.

    Goods that come back in `exchange` pay for it first.
    """

    sale_id: str
    payments: tuple[PaymentRequest, ...] | None = None
    exchange: Exchanged | None = None


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


def complete_sale(stock: Stock, command: CompleteSale, *, partly: bool = False) -> SaleDocument:
    """Decide a CompleteSale; with `partly` less may be paid than is due, as it is stated of an order from elsewhere."""
    sale = find_sale(stock, command.sale_id)
    payments = payments_of(stock, command.payments)
    refuse_finished_sale(sale)
    _refuse_unmapped(sale)
    lines = lines_of(stock, sale)
    if not lines:
        raise invalid_state("The sale has no lines.")
    if not sale.fulfillments:
        sale, lines = rated(stock, sale, lines)
    refuse_closed_session(stock)
    credit = take_in(stock, command.exchange)
    total = receipt_of(stock, sale, lines, None).total
    sale = give_back(stock, sale, total)
    paid = standing(sale.payments)
    new = (*payment_in_goods(credit, total - sum(one.amount for one in paid)), *(payments or ()))
    tender = None if payments is None and not paid and not new else (*paid, *new)
    receipt = receipt_of(stock, sale, lines, tender, partly=partly or payments is None)
    _cover(stock, sale, lines)
    sale = put_receipt(stock, sale, lines_as_they_stand(stock, lines), receipt)
    for line in lines_of(stock, sale):
        fulfil_line(stock, sale, line, line.open)
    _consume_others(stock, sale)
    new, returns = pay_out(stock, sale, credit, new)
    sale = finish(stock, sale, receipt, new)
    return describe_sale(stock, sale, described_returns(stock, returns))


def _refuse_unmapped(sale: Sale) -> None:
    """Refuse to complete a sale some of whose lines wait for their product: ship the others."""
    if sale.unmapped:
        called = ", ".join(line.title or line.sku or "without a name" for line in sale.unmapped[:UNMAPPED_NAMED_MAX])
        raise invalid_state(f"Lines wait until it is known which product they are: {called}.", sale_status=sale.status)


def _consume_others(stock: Stock, sale: Sale) -> None:
    """Sell the holds that name the sale and no line too. Units that any hold of the sale still has are released."""
    for name in [hold.id for hold in holds_of(stock, sale) if hold.sale_line_id is None]:
        hold = stock.reservations[name]
        if hold.allocated:
            consume_units(stock, hold, hold.allocated, ref_id=sale.id)
    release_all(stock, sale, "cancelled")
    release_rest(stock, sale, "cancelled")


def _cover(stock: Stock, sale: Sale, lines: list[SaleLine]) -> None:
    """Let lapsed holds compete again; every line that is short or waits is named."""

    keys: dict[str, int] = {}

    def cover(_: int, line: SaleLine) -> None:
        if line.kind != "stock":
            ask_for_keys(stock, sale, line, line.open, keys)
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
    stock.put_row(deliver(stock, sale, current, units, fact=fact) if line.kind == "unlimited" else current)


def finish(stock: Stock, sale: Sale, receipt: Receipt, payments: tuple[Payment, ...]) -> Sale:
    """The sale is done: each line knows what was due for it, and the money is booked."""
    for line, due in zip(lines_of(stock, sale), due_by_line(receipt), strict=True):
        stock.put_row(replace(line, due=due, updated_at=stock.now))
    return book_sale(stock, sale, receipt, payments)


def book_sale(stock: Stock, sale: Sale, receipt: Receipt, payments: tuple[Payment, ...]) -> Sale:
    """Complete a sale whose units have all gone out.

    Its register session counts what is paid with it; what neither that nor deposits cover is receivable.
    """
    kept = kept_with_sale(stock, payments, receipt.change)
    issue_cards(stock, sale, lines_of(stock, sale))
    _stage_sale_money(stock, sale, receipt, kept)
    together = (*sale.payments, *kept)
    sale = replace(
        sale,
        status=COMPLETED,
        payments=together,
        paid=sum(payment.amount for payment in together),
        change=sum(payment.own_change for payment in together),
        rounding=receipt.rounding,
        posted=receipt.total,
        posted_tax=receipt.tax_total,
        posted_taxes=taxes_of(sale, lines_of(stock, sale)) or None,
        session_id=stock.caller.session_id,
        actor=stock.caller.actor,
        completed_at=stock.now,
        updated_at=max(stock.now, sale.updated_at),
    )
    refuse_unpaid_cards(stock, sale, lines_of(stock, sale))
    stock.put_row(sale)
    take_at_till(stock, kept, SessionTotals(sales=1, taxes=sale.posted_taxes or ()))
    stock.tell("SaleCompleted", None, sale_facts(stock, sale))
    return sale


def _stage_sale_money(stock: Stock, sale: Sale, receipt: Receipt, payments: tuple[Payment, ...]) -> None:
    """Book what fulfilments have not: revenue and tax against these payments; what is unpaid stays receivable, and
    what was paid in advance has made that smaller already."""
    money: list[Line] = [line_of(payment) for payment in payments]
    kept = sum(payment.kept for payment in payments)
    money.append((RECEIVABLE, receipt.total + receipt.rounding - kept - sale.posted))
    tax = receipt.tax_total - sale.posted_tax
    money += tax_payable(taxes_left(sale, lines_of(stock, sale)))
    money.append((TIPS, -sale.tips))
    cards = sum(line.total for line in lines_of(stock, sale) if line.kind == "gift_card")
    money.append((GIFT_CARDS, -cards))
    money.append((REVENUE, -(receipt.total - sale.posted - tax - sale.tips - cards)))
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
    refuse_more_shipments(sale)
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
        moved += moved_since(stock, first, line_id)
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
    if sale.unmapped or any(line.open for line in lines_of(stock, sale) if line.kind not in WITHOUT_GOODS):
        taxes = taxes_booked(sale, list(lines.values()))
        sale = replace(sale, posted_taxes=taxes)
        stock.put_row(sale)
        known = before.posted_taxes  # as it was booked: a line that was made smaller since shares its tax anew
        more = less(taxes, taxes_booked(before, list(lines.values())) if known is None else known)
        money = [(RECEIVABLE, total), *tax_payable(more), (REVENUE, -(total - tax))]
        stage_money(stock, "SALE", sale.id, f"Sale {sale.number}, shipped in part", money, sale.store_id)
        return sale
    sale = replace(sale, posted=sale.posted - total, posted_tax=sale.posted_tax - tax)
    return finish_shipped(stock, sale)


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
        if line.kind == "gift_card":
            raise invalid_state("A gift card is made when its sale is completed: it is not shipped.")
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
            ask_for_keys(stock, sale, line, units, keys)
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

    The last shipment keeps the status that the sale had, so that it can be taken back. It keeps none when a hold
    without a line is sold with it.
    """
    beside = any(hold.sale_line_id is None for hold in holds_of(stock, sale))
    if sale.fulfillments and not beside:
        last = replace(sale.fulfillments[-1], before=sale.status)
        sale = replace(sale, fulfillments=(*sale.fulfillments[:-1], last))
    keys: dict[str, int] = {}
    stock.each(lines_of(stock, sale), lambda _, line: ask_for_keys(stock, sale, line, line.open, keys, fact=True))
    for line in lines_of(stock, sale):
        if line.open:
            fulfil_line(stock, sale, line, line.open, fact=True)
    _consume_others(stock, sale)
    sale = give_back(stock, sale, sale.total)
    return finish(
        stock, sale, receipt_of(stock, sale, lines_of(stock, sale), standing(sale.payments) or None, partly=True), ()
    )


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
    sale = replace(give_back(stock, sale, 0), status=CANCELLED, updated_at=max(stock.now, sale.updated_at))
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
