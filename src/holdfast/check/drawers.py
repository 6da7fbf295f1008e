"""The check of the drawers: what a register session kept is what its sales, returns and cash movements come to."""

from __future__ import annotations

from msgspec import UNSET

from holdfast.check.expected_money import ExpectedMoney, PaidAtTills
from holdfast.check.run import Key, Merged, Run, Tally
from holdfast.core.records.sale import Sale
from holdfast.core.records.status import CLOSED
from holdfast.core.records.totals import NO_MONEY
from holdfast.core.sales.register import CashMovement, RegisterSession
from holdfast.core.sales.return_record import Return
from holdfast.core.stock.journal import CASH, CASH_OVER_SHORT
from holdfast.db.audit_rows import Snapshot
from holdfast.db.audit_shapes import Stored


class _Drawer:
    """What a session's own rows come to."""

    def __init__(self) -> None:
        self.cash_sales = self.cash_refunds = self.paid_in = self.paid_out = self.sales = self.returns = 0
        self.by_method: dict[str, int] = {}

    def take(self, method: str, amount: int) -> None:
        """Money of a method came in, or (negative) went out; cash is counted with the cash of sales."""
        if method in NO_MONEY:
            return
        self.by_method[method] = self.by_method.get(method, 0) + amount
        if method == "cash":
            self.cash_sales += amount


class DrawersCheck(Run):
    """Register sessions; `money` adds up what the books must have, `tills` is what was paid apart from sales."""

    def __init__(
        self, rows: Snapshot, org_id: str | None, tally: Tally, money: ExpectedMoney, tills: PaidAtTills
    ) -> None:
        super().__init__(rows, org_id, tally)
        self.money = money
        self.tills = tills

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
            self._paid_in(drawer, key)
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
        drawer.sales += 1
        for payment in sale.payments:
            if payment.with_sale and payment.pressed is UNSET:
                drawer.take(payment.method, payment.kept)
        older = sale.change - sum(payment.own_change for payment in sale.payments)
        if older:
            drawer.take("cash", -older)

    def _paid_in(self, drawer: _Drawer, key: Key) -> None:
        """What was paid there apart from the completion of a sale."""
        for method, amount in self.tills.of(key):
            drawer.take(method, amount)
            if amount < 0 and method == "cash":  # it is no sale of less, it is money that went out
                drawer.cash_sales -= amount
                drawer.cash_refunds -= amount

    def _refunded_from(self, drawer: _Drawer, made: Return | None) -> None:
        if made is None:
            return
        drawer.returns += 1
        for part in made.parts:
            if part.method in NO_MONEY:
                continue
            drawer.take(part.method, -part.amount)
            if part.method == "cash":
                drawer.cash_sales += part.amount
                drawer.cash_refunds += part.amount

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
