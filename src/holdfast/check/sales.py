"""The check of the sales: what is persisted is what the arithmetic gives again.

It adds up on the way what the books must have for it (`ExpectedMoney`), which `holdfast.check.books` compares. What was
shipped and returned in parts is in `shares`, what a till took in `drawers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import get_args

from msgspec import UNSET

from holdfast.check.run import Key, Merged
from holdfast.check.shares import SharesCheck
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import CANCELLED, COMPLETED
from holdfast.core.records.tax import TaxRounding
from holdfast.core.records.totals import Fee, PricedLine, Rules, compute_receipt
from holdfast.core.sales.return_record import Return
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.core.stock.journal import (
    CASH_OVER_SHORT,
    GIFT_CARDS,
    RECEIVABLE,
    RETURNS,
    REVENUE,
    ROUNDING,
    TAX_PAYABLE,
    TIPS,
    usual_account,
)
from holdfast.db.audit_shapes import Stored


class SalesCheck(SharesCheck):
    """Sales with lines, supplier orders and returns."""

    # Sales -----------------------------------------------------------------------------------------------------------

    def sales(self) -> None:
        """Walk all sales, and beside them everything that belongs to one."""
        rows, org = self._rows, self._org

        def of_sale(row: Stored) -> Key:
            return row.org_id, str(row.raw[2])

        lines = Merged(rows.sale_lines(org), of_sale)
        returns = Merged(rows.sale_returns(org, blind=False), of_sale)
        orders = Merged(rows.supplier_orders(org), of_sale)
        sold = Merged(rows.sold(org), lambda one: (one.org_id, one.sale_id))
        for row in rows.sales(org):
            key = (row.org_id, str(row.raw[1]))
            self._orphans(lines, returns, orders, key)
            sale: Sale | None = self._sound(row, f"sale {key[1]}")
            own = list(self._lines_of(lines.of(key)))
            back = list(self._returns_of(returns.of(key)))
            ordered = list(self._orders_of(orders.of(key)))
            for _ in sold.before(key):
                pass  # consumed for something that is no sale
            left = [(one.units, one.value) for one in sold.of(key)]
            if sale is None:
                continue
            self._same("sale.store", f"sale {sale.id}", sale.store_id, row.beside[0], org_id=row.org_id)
            kept = [(line, precision) for line, precision in own if not line.removed]
            self._sale(row.org_id, sale, kept)
            self._goods(row.org_id, sale, [line for line, _ in kept], left[0] if left else (0, 0))
            self._shipped(row.org_id, sale, [line for line, _ in kept])
            self._returned(row.org_id, sale, [line for line, _ in kept], back)
            self._ordered(row.org_id, sale, [line for line, _ in own], ordered)
            self._earned(row.org_id, sale, [line for line, _ in kept])
        self._orphans(lines, returns, orders, None)
        for row in rows.sale_returns(org, blind=True):
            for made in self._returns_of(iter([row])):
                for kept_line in made.lines:
                    name = f"sale_return {made.id}"
                    self._same("sale_return.line", name, None, kept_line.line_id, org_id=row.org_id)

    def _orphans(self, lines: Merged[Stored], returns: Merged[Stored], orders: Merged[Stored], key: Key | None) -> None:
        """Rows whose sale is not there."""
        for table, stream in (("sale_line", lines), ("sale_return", returns), ("supplier_order", orders)):
            for row in stream.before(key):
                name = f"{table} {row.raw[1]}"
                self._stored(row, name)
                self._tell(f"{table}.sale", name, row.raw[2], None, org_id=row.org_id)

    def _lines_of(self, rows: Iterator[Stored]) -> Iterator[tuple[SaleLine, int]]:
        for row in rows:
            line: SaleLine | None = self._sound(row, f"sale_line {row.raw[1]}", sku=row.beside[1])
            if line is None:
                continue
            if row.beside[0] is None:
                self._tell("sale_line.product", f"sale_line {line.id}", line.product_id, None, org_id=row.org_id)
            yield line, row.beside[0] or 0

    def _returns_of(self, rows: Iterator[Stored]) -> Iterator[Return]:
        for row in rows:
            name = f"sale_return {row.raw[1]}"
            made: Return | None = self._sound(row, name)
            if made is None:
                continue
            self._same("sale_return.store", name, made.store_id, row.beside[0], org_id=row.org_id)
            if made.sale_id is None and made.method != "cash":
                self._same("sale_return.refund_total", name, 0, made.rounding, org_id=row.org_id)
            handed_out = sum(part.amount for part in made.parts)
            self._same("sale_return.refund_total", name, handed_out, made.refund_total, org_id=row.org_id)
            tax = sum(line.tax for line in made.lines)
            for part in made.parts:
                self._put_money(row.org_id, usual_account(part.method), -part.amount)
            self.money.put(row.org_id, TAX_PAYABLE, tax)
            tips = sum(line.tip for line in made.lines if line.tip is not UNSET)
            self.money.put(row.org_id, TIPS, tips)
            cards = sum(line.cards for line in made.lines)
            self.money.put(row.org_id, RETURNS, made.refund_total - made.rounding - tax - tips - cards)
            self.money.put(row.org_id, ROUNDING, made.rounding)
            yield made

    def _orders_of(self, rows: Iterator[Stored]) -> Iterator[SupplierOrder]:
        for row in rows:
            order: SupplierOrder | None = self._sound(row, f"supplier_order {row.raw[1]}")
            if order is not None:
                yield order

    def _sale(self, org_id: str, sale: Sale, lines: list[tuple[SaleLine, int]]) -> None:
        """The sale's amounts against its lines', and against the arithmetic."""
        name = f"sale {sale.id}"
        own = [line for line, _ in lines]
        fee_tax = sale.tax_total - sum(line.tax for line in own)
        fees = sale.total - sum(line.total for line in own)
        self._same("sale.subtotal", name, sum(line.gross for line in own), sale.subtotal, org_id=org_id)
        self._same("sale.discount_total", name, sum(line.discount for line in own), sale.discount_total, org_id=org_id)
        self._same("sale.fee_total", name, sum(fee.amount for fee in sale.fees), sale.fee_total, org_id=org_id)
        # Of an exempt sale's fees the tax that they include is taken off.
        fits = fees in (sale.fee_total, sale.fee_total + fee_tax)
        if not fits and not (sale.tax_exempt is not None and 0 <= fees <= sale.fee_total):
            self._tell("sale.total is its lines and fees", name, sale.fee_total, fees, org_id=org_id)
        paid = sum(payment.amount for payment in sale.payments)
        self._same("sale.paid", name, paid, sale.paid, org_id=org_id)
        if sale.status == COMPLETED:
            self._same("sale_line.due", name, sale.due, sum(line.due for line in own), org_id=org_id)
            self._same("sale.posted", name, (sale.total, sale.tax_total), (sale.posted, sale.posted_tax), org_id=org_id)
            self._same("sale.fulfilled", name, True, all(not line.open for line in own), org_id=org_id)
        if not sale.payments:
            self._same("sale.rounding", name, (0, 0), (sale.rounding, sale.change), org_id=org_id)
        elif sale.status == COMPLETED and all(payment.id is UNSET for payment in sale.payments):
            self._same("sale.change", name, sale.due, sale.paid - sale.change, org_id=org_id)
        self._owed(org_id, sale)
        if sale.as_stated:
            self._stated(org_id, sale, own)
        elif sale.status == COMPLETED and not sale.fulfillments:
            self._recomputed(org_id, sale, lines)

    def _owed(self, org_id: str, sale: Sale) -> None:
        """No more was paid than was due, what is set against what was owed is a part of what was refunded, and a sale
        that was given up has given back what was paid."""
        name = f"sale {sale.id}"
        kept = sale.paid - sale.change
        own = sum(payment.own_change for payment in sale.payments)
        if any(payment.id is not UNSET for payment in sale.payments):
            self._same("sale.change is its payments'", name, own, sale.change, org_id=org_id)
        if sale.status == CANCELLED:
            self._same("sale.paid goes back", name, 0, kept, org_id=org_id)
        elif sale.status == COMPLETED:
            self._same("sale.paid is at most due", name, True, kept + sale.settled <= sale.due, org_id=org_id)
        self._same("sale.settled", name, True, 0 <= sale.settled <= max(sale.refunded, 0), org_id=org_id)

    def _stated(self, org_id: str, sale: Sale, lines: list[SaleLine]) -> None:
        """Money that is no arithmetic of ours: each line is its price less its discount, with or without its tax, which
        is the sum of its rates."""
        for line in lines:
            name, net = f"sale_line {line.id}", line.gross - line.discount
            fits = line.total in (net, net + line.tax)
            self._same("sale_line.total is price, discount and tax", name, True, fits, org_id=org_id)
            tax = sum(share.tax for share in line.tax_shares)
            self._same("sale_line.tax is its rates'", name, tax, line.tax, org_id=org_id)

    def _recomputed(self, org_id: str, sale: Sale, lines: list[tuple[SaleLine, int]]) -> None:
        """The same function again. Whether prices included tax then, and over what it was rounded, is not known: one of
        the four must fit."""
        priced = [
            PricedLine(
                line.unit_price,
                line.quantity,
                precision,
                line.asked,
                line.rates,
                line.breaks or (),
                line.kind == "gift_card",
            )
            for line, precision in lines
        ]
        fees = [Fee(fee.name, fee.amount, fee.rates) for fee in sale.fees]
        found = (sale.subtotal, sale.discount_total, sale.tax_total, sale.fee_total, sale.total)
        each = [(line.gross, line.discount, line.tax, line.total) for line, _ in lines]
        expected: list[object] = []
        exempt = sale.tax_exempt is not None
        for inclusive, rounding in product((False, True), get_args(TaxRounding)):
            rules = Rules(inclusive, 0, rounding, exempt)
            receipt = compute_receipt(priced, sale_discount=sale.discount, fees=fees, rules=rules, cap_discount=True)
            if isinstance(receipt, Rejected):
                expected.append(receipt.detail)
                continue
            own = (receipt.subtotal, receipt.discount_total, receipt.tax_total, receipt.fee_total, receipt.total)
            again = [(line.gross, line.discount, line.tax, line.total) for line in receipt.lines]
            if own == found and again == each:
                return
            expected.append((own, again))
        self._tell("sale is what its lines give", f"sale {sale.id}", expected, (found, each), org_id=org_id)

    def _goods(self, org_id: str, sale: Sale, lines: list[SaleLine], left: tuple[int, int]) -> None:
        """What lines took from lots, against what went out, came back, and is in the ledger."""
        units = value = 0
        for line in lines:
            name = f"sale_line {line.id}"
            in_range = 0 <= line.returned <= line.fulfilled <= line.quantity
            self._same("sale_line.fulfilled", name, True, in_range, org_id=org_id)
            shipped = sum(part for one in sale.fulfillments for line_id, part in one.lines if line_id == line.id)
            self._same("sale_line.fulfilled is shipped", name, True, shipped <= line.fulfilled, org_id=org_id)
            if line.kind != "stock":
                continue
            taken = (sum(one.units for one in line.taken), sum(one.returned_units for one in line.taken))
            self._same("sale_line.taken", name, (line.fulfilled, line.returned), taken, org_id=org_id)
            for one in line.taken:
                sane = 0 <= one.returned_units <= one.units and 0 <= one.returned_value <= one.value
                self._same("sale_line.taken", name, True, sane, org_id=org_id)
            units += taken[0]
            value += sum(one.value for one in line.taken)
        # Holds that name the sale without a line are sold with it: the ledger may have more.
        if units > left[0] or value > left[1]:
            self._tell("sale is its entries", f"sale {sale.id}", left, (units, value), org_id=org_id)

    def _ordered(self, org_id: str, sale: Sale, lines: list[SaleLine], orders: list[SupplierOrder]) -> None:
        """Every supplier order is of a line of its product, and every supplied line that went out has one."""
        by_line = {line.id: line for line in lines}
        for order in orders:
            line = by_line.get(order.line_id)
            product = None if line is None else line.product_id
            self._same("supplier_order.line", f"supplier_order {order.id}", order.product_id, product, org_id=org_id)
        ordered = {order.line_id for order in orders}
        for line in lines:
            if line.kind == "dropship" and line.fulfilled and not line.removed:
                self._same("sale_line.supplier_order", f"sale_line {line.id}", True, line.id in ordered, org_id=org_id)

    def _put_money(self, org_id: str, account: str, amount: int) -> None:
        """What must be on an account; that of gift cards is what the cards say (`gift_cards`)."""
        if account != GIFT_CARDS:
            self.money.put(org_id, account, amount)

    def _paid(self, org_id: str, sale: Sale) -> None:
        """What payments brought to the accounts, and which tills they were made at."""
        older = sale.change - sum(payment.own_change for payment in sale.payments)
        for payment in sale.payments:
            kept = payment.kept - (older if payment.method == "cash" else 0)
            older = 0 if payment.method == "cash" else older
            pressed, counted = (payment.method, kept) if payment.pressed is UNSET else payment.pressed
            self._put_money(org_id, usual_account(pressed), counted)
            self.money.put(org_id, RECEIVABLE, -kept)
            if payment.pressed is not UNSET:
                self.money.put(org_id, _after_count(pressed), -counted)
                self.money.put(org_id, _after_count(payment.method), kept)
            if not payment.with_sale and isinstance(payment.session_id, str):
                self.tills.take((org_id, payment.session_id), pressed, counted)
            elif payment.with_sale and payment.pressed is not UNSET and sale.session_id is not None:
                self.tills.take((org_id, sale.session_id), pressed, counted)

    def _earned(self, org_id: str, sale: Sale, lines: list[SaleLine]) -> None:
        """What the books must have for the sale."""
        money = self.money
        if sale.status == COMPLETED:
            money.put(org_id, RECEIVABLE, sale.due)
            money.put(org_id, ROUNDING, -sale.rounding)
        else:
            money.put(org_id, RECEIVABLE, sale.posted)
        self._paid(org_id, sale)
        money.put(org_id, TAX_PAYABLE, -sale.posted_tax)
        tips = sale.tips if sale.status == COMPLETED else 0
        money.put(org_id, TIPS, -tips)
        cards = sum(line.total for line in lines if line.kind == "gift_card") if sale.status == COMPLETED else 0
        money.put(org_id, REVENUE, -(sale.posted - sale.posted_tax - tips - cards))


def _after_count(method: str) -> str:
    """The account of a payment that is corrected when its till is closed: its count has booked what cash was over or
    short."""
    return CASH_OVER_SHORT if method == "cash" else usual_account(method)
