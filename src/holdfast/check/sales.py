"""The check of the sales: what is persisted is what the arithmetic gives again, for sales, returns and drawers.

It adds up on the way what the books must have for it (`Money`), which `holdfast.check.books` compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple, get_args

from msgspec import UNSET

from holdfast.check.run import Key, Merged, Run, Tally
from holdfast.core.records.proportion import share_of_older_versions
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import CLOSED, COMPLETED
from holdfast.core.records.tax import TaxRounding
from holdfast.core.records.totals import Fee, PricedLine, Rules, compute_receipt
from holdfast.core.sales.register import CashMovement, RegisterSession
from holdfast.core.sales.return_record import KeptLine, Return
from holdfast.core.sales.shipment import terms_of
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.core.sales.taxes import refundable_taxes
from holdfast.core.stock.journal import (
    CASH,
    CASH_OVER_SHORT,
    RECEIVABLE,
    RETURNS,
    REVENUE,
    ROUNDING,
    TAX_PAYABLE,
    TIPS,
    usual_account,
)
from holdfast.db.audit_rows import Snapshot
from holdfast.db.audit_shapes import Stored


class Money:
    """What sales, returns and drawers must have brought to the accounts, in minor units, by organisation."""

    def __init__(self) -> None:
        self.by_account: dict[tuple[str, str], int] = {}

    def put(self, org_id: str, account: str, amount: int) -> None:
        """Add to one account."""
        key = (org_id, account)
        self.by_account[key] = self.by_account.get(key, 0) + amount


class Part(NamedTuple):
    """A part of something: its units, the amount (minor units) that was given for them, and whether an older version
    gave it, by another rule."""

    units: int
    amount: int
    older: bool


class _Drawer:
    """What a session's own rows come to."""

    def __init__(self) -> None:
        self.cash_sales = self.cash_refunds = self.paid_in = self.paid_out = self.sales = self.returns = 0
        self.by_method: dict[str, int] = {}

    def take(self, method: str, amount: int) -> None:
        """Money of a method came in, or (negative) went out."""
        self.by_method[method] = self.by_method.get(method, 0) + amount


class SalesCheck(Run):
    """Sales with lines, supplier orders and returns; register sessions."""

    def __init__(self, rows: Snapshot, org_id: str | None, tally: Tally) -> None:
        super().__init__(rows, org_id, tally)
        self.money = Money()

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
            self._earned(row.org_id, sale)
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
            tax = sum(line.tax for line in made.lines)
            self.money.put(row.org_id, usual_account(made.method), -made.refund_total)
            self.money.put(row.org_id, TAX_PAYABLE, tax)
            tips = sum(line.tip for line in made.lines if line.tip is not UNSET)
            self.money.put(row.org_id, TIPS, tips)
            self.money.put(row.org_id, RETURNS, made.refund_total - made.rounding - tax - tips)
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
        if sale.payments:
            self._same("sale.change", name, sale.due, sale.paid - sale.change, org_id=org_id)
        else:
            self._same("sale.rounding", name, (0, 0), (sale.rounding, sale.change), org_id=org_id)
        if sale.status == COMPLETED and not sale.fulfillments:
            self._recomputed(org_id, sale, lines)

    def _recomputed(self, org_id: str, sale: Sale, lines: list[tuple[SaleLine, int]]) -> None:
        """The same function again. Whether prices included tax then, and over what it was rounded, is not known: one of
        the four must fit."""
        priced = [
            PricedLine(line.unit_price, line.quantity, precision, line.asked, line.rates, line.breaks or ())
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

    def _shipped(self, org_id: str, sale: Sale, lines: list[SaleLine]) -> None:
        """What shipments have booked of each line, as it was kept, is its proportion of the line's terms."""
        terms = terms_of(sale, lines)
        totals: dict[str, list[Part]] = {}
        taxes: dict[str, list[Part]] = {}
        for part in sale.fulfillments:
            for index, (line_id, units) in enumerate(part.lines):
                older, of = part.amounts is UNSET, terms.get(line_id)
                if of is None:
                    self._tell("fulfillment.line", f"sale {sale.id}", "a line of it", line_id, org_id=org_id)
                    continue
                start = sum(one.units for one in totals.get(line_id, []))
                if part.amounts is UNSET:
                    total = share_of_older_versions(of.total, of.units, start, units)
                    tax = share_of_older_versions(of.tax, of.units, start, units)
                else:
                    total, tax = part.amounts[index]
                totals.setdefault(line_id, []).append(Part(units, total, older))
                taxes.setdefault(line_id, []).append(Part(units, tax, older))
        for line_id, of in terms.items():
            name = f"sale_line {line_id}"
            kept = totals.get(line_id, [])
            self._shared("fulfillment.total is in proportion", name, of.total, of.units, kept, org_id)
            self._shared("fulfillment.tax is in proportion", name, of.tax, of.units, taxes.get(line_id, []), org_id)
        if sale.unfinished and all(part.amounts is not UNSET for part in sale.fulfillments):
            sums = tuple(sum(one.amount for parts in of.values() for one in parts) for of in (totals, taxes))
            self._same(
                "sale.posted is its shipments", f"sale {sale.id}", sums, (sale.posted, sale.posted_tax), org_id=org_id
            )

    def _returned(self, org_id: str, sale: Sale, lines: list[SaleLine], returns: list[Return]) -> None:
        """What came back of each line, and what was refunded for it, as it was kept."""
        returns = sorted(returns, key=lambda made: (made.created_at, made.id))
        self._handed_out(org_id, returns)
        back: dict[str | None, list[KeptLine]] = {}
        for made in returns:
            for part in made.lines:
                back.setdefault(part.line_id, []).append(part)
        taxes = refundable_taxes(sale, lines)
        for line in lines:
            tax = sum(share.tax for share in taxes[line.id])
            parts = back.pop(line.id, [])
            if not 0 <= line.returned <= line.quantity:
                continue  # told already
            name = f"sale_line {line.id}"
            self._same("sale_line.returned", name, line.returned, sum(part.units for part in parts), org_id=org_id)
            kept = [Part(part.units, part.refund, part.coin is UNSET) for part in parts]
            self._shared("sale_return.refund is in proportion", name, line.due, line.quantity, kept, org_id)
            kept = [Part(part.units, part.tax, part.coin is UNSET) for part in parts]
            self._shared("sale_return.tax is in proportion", name, tax, line.quantity, kept, org_id)
        for line_id in back:
            made = next(made for made in returns if any(part.line_id == line_id for part in made.lines))
            self._tell("sale_return.line", f"sale_return {made.id}", line_id, None, org_id=org_id)

    def _handed_out(self, org_id: str, returns: list[Return]) -> None:
        """What was handed out is the exact refund, or in cash the nearest coin of all that was due in cash so far."""
        owed = 0
        for made in returns:
            coins = [line.coin for line in made.lines if line.coin is not UNSET]
            owed -= made.rounding if made.method == "cash" else 0
            if not coins:
                continue  # an older version rounded by another rule
            fits = made.rounding == 0 if made.method != "cash" else 2 * abs(owed) <= coins[0] or not made.refund_total
            self._same("sale_return.refund_total", f"sale_return {made.id}", True, fits, org_id=org_id)

    def _shared(self, invariant: str, name: str, amount: int, whole: int, parts: list[Part], org_id: str) -> None:
        """What was given for the first units of a whole is their proportion of the amount, to less than a minor unit.

        Nothing here is computed again: the amounts are those that were kept. What an older version gave may be anything
        up to the amount; after it nothing more is given until it is due.
        """
        units = given = 0
        older = False
        for part in parts:
            units, given, older = units + part.units, given + part.amount, older or part.older
            near = abs(given * whole - amount * units) < whole
            ahead = older and (part.older or not part.amount) and given * whole >= amount * units
            if not (near or ahead or part.older) or part.amount < 0 or given > amount:
                self._tell(invariant, name, f"{amount} x {units} / {whole}", given, org_id=org_id)
                return
        if whole and units == whole:
            self._same(invariant, name, amount, given, org_id=org_id)

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

    def _earned(self, org_id: str, sale: Sale) -> None:
        """What the books must have for the sale."""
        money = self.money
        if sale.status == COMPLETED:
            cash, other = _tendered(sale)
            money.put(org_id, CASH, cash)
            money.put(org_id, RECEIVABLE, sale.due - cash)
            money.put(org_id, ROUNDING, -sale.rounding)
            self._same("sale.payments", f"sale {sale.id}", True, other >= 0, org_id=org_id)
        else:
            money.put(org_id, RECEIVABLE, sale.posted)
        money.put(org_id, TAX_PAYABLE, -sale.posted_tax)
        tips = sale.tips if sale.status == COMPLETED else 0
        money.put(org_id, TIPS, -tips)
        money.put(org_id, REVENUE, -(sale.posted - sale.posted_tax - tips))

    # Drawers ---------------------------------------------------------------------------------------------------------

    def sessions(self) -> None:
        """Walk all register sessions, and beside them the sales, returns and cash movements of each."""
        rows, org = self._rows, self._org
        sales = Merged(rows.sales_of_sessions(org), _sale_session)
        returns = Merged(rows.returns_of_sessions(org), _return_session)
        moves = Merged(rows.cash_movements(org), lambda row: (row.org_id, str(row.raw[2])))
        for row in rows.register_sessions(org):
            key = (row.org_id, str(row.raw[1]))
            self._unheld(sales, returns, moves, key)
            session: RegisterSession | None = self._sound(row, f"register_session {key[1]}")
            drawer = _Drawer()
            for one in sales.of(key):
                self._sold_in(drawer, one.struct if one.intact else None)
            for one in returns.of(key):
                self._refunded_from(drawer, one.struct if one.intact else None)
            for one in moves.of(key):
                self._moved_in(drawer, one)
            if session is not None:
                self._session(row, session, drawer)
        self._unheld(sales, returns, moves, None)

    def _unheld(self, sales: Merged[Stored], returns: Merged[Stored], moves: Merged[Stored], key: Key | None) -> None:
        """Rows whose session is not there."""
        for table, stream in (("sale", sales), ("sale_return", returns), ("cash_movement", moves)):
            for row in stream.before(key):
                name = f"{table} {row.raw[1]}"
                if table == "cash_movement":
                    self._stored(row, name)
                self._tell(f"{table}.session", name, "its register session", None, org_id=row.org_id)

    def _sold_in(self, drawer: _Drawer, sale: Sale | None) -> None:
        if sale is None:
            return
        cash, _ = _tendered(sale)
        drawer.sales += 1
        drawer.cash_sales += cash
        for payment in sale.payments:
            drawer.take(payment.method, payment.amount)
        if any(payment.method == "cash" for payment in sale.payments):
            drawer.take("cash", -sale.change)

    def _refunded_from(self, drawer: _Drawer, made: Return | None) -> None:
        if made is None:
            return
        drawer.returns += 1
        drawer.take(made.method, -made.refund_total)
        drawer.cash_refunds += made.refund_total if made.method == "cash" else 0

    def _moved_in(self, drawer: _Drawer, row: Stored) -> None:
        moved: CashMovement | None = self._sound(row, f"cash_movement {row.raw[1]}")
        if moved is None:
            return
        coming = moved.direction == "in"
        drawer.paid_in += moved.amount if coming else 0
        drawer.paid_out += 0 if coming else moved.amount
        if moved.account is not None:
            signed = moved.amount if coming else -moved.amount
            self.money.put(row.org_id, CASH, signed)
            self.money.put(row.org_id, moved.account, -signed)

    def _session(self, row: Stored, session: RegisterSession, drawer: _Drawer) -> None:
        name, org_id = f"register_session {session.id}", row.org_id
        for field in ("cash_sales", "cash_refunds", "paid_in", "paid_out", "sales", "returns"):
            expected, found = getattr(drawer, field), getattr(session, field)
            self._same(f"register_session.{field}", name, expected, found, org_id=org_id)
        self._same("register_session.register", name, session.register_id, row.beside[1], org_id=org_id)
        kept = {method: amount for method, amount in session.by_method if amount}
        again = {method: amount for method, amount in drawer.by_method.items() if amount}
        self._same("register_session.by_method", name, again, kept, org_id=org_id)
        self._same("register_session.number", name, row.beside[0], session.number, org_id=org_id)
        closed = session.status == CLOSED
        told = (session.counted_cash is not None, session.closed_at is not None, session.closed_by is not None)
        self._same("register_session.status", name, (closed,) * 3, told, org_id=org_id)
        if session.counted_cash is not None:
            over = session.counted_cash - session.expected
            self.money.put(org_id, CASH, over)
            self.money.put(org_id, CASH_OVER_SHORT, -over)


_SESSION = {struct: 1 + struct.__struct_fields__.index("session_id") for struct in (Sale, Return)}


def _sale_session(row: Stored) -> Key:
    return row.org_id, str(row.raw[_SESSION[Sale]])


def _return_session(row: Stored) -> Key:
    return row.org_id, str(row.raw[_SESSION[Return]])


def _tendered(sale: Sale) -> tuple[int, int]:
    """(cash that stayed in the drawer, what was paid by other methods)."""
    cash = sum(payment.amount for payment in sale.payments if payment.method == "cash") - sale.change
    return cash, sum(payment.amount for payment in sale.payments if payment.method != "cash")
