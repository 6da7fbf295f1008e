"""Registers: tills, their sessions, and the cash in their drawers (docs/how-to/registers.md).

    open with 100.00, sell for 19.80 in cash, pay out 5.00, count 114.80   -> expected 114.80, over/short 0.00

A session is one drawer from its opening count to its closing one. Closing is blind: the cashier counts and is not told
what should be there. Carts that are open then go into the store's queue. The report is numbered per register (Z report)
and never changes. What a session took is kept as running totals that move with every sale under the session's lock, so
that no sale slips past a closing.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.number import ASIDE_MAX, VALUE_MAX, from_minor, to_minor
from holdfast.core.records.organisation import Register
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused, invalid_state, malformed, not_found
from holdfast.core.records.sale import Sale
from holdfast.core.records.status import CLOSED, OPEN, REGISTER_SESSION, Transitions
from holdfast.core.records.tax import TaxDocument, TaxShare, by_rate, tax_documents
from holdfast.core.records.time import instant_text
from holdfast.core.records.totals import expected_cash
from holdfast.core.records.wants import CartsOfSession, LastSession, SaleById, SessionById
from holdfast.core.sales.cart import suspend
from holdfast.core.stock.journal import (
    ACCOUNTS,
    CASH,
    CASH_OVER_SHORT,
    KEPT_BY_ITSELF,
    SHRINKAGE,
    account_kind,
    stage_money,
)
from holdfast.core.stock.posting import Stock, value_exceeded

replace = msgspec.structs.replace


class RegisterSession(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One drawer from opening to closing; amounts in minor units. `by_method` are (method, net amount) pairs.

    `opener_id` is the user or key that opened it, in whose name the till acts, unless it was opened from inside;
    `opened_by` is what they were called then. `key_id` is the key whose request opened it, also where a PIN says who
    acts: the session has no more rights than the key. `taxes` are those of its sales by rate, less its returns'. A
    checksum leaves out fields that have their default, so rows that an older version wrote still fit.
    """

    transitions: ClassVar[Transitions] = REGISTER_SESSION

    id: str
    number: int
    register_id: str
    store_id: str
    status: str
    token_hash: str
    opened_by: str
    opener_id: str | None
    closed_by: str | None
    opening_float: int
    cash_sales: int
    cash_refunds: int
    paid_in: int
    paid_out: int
    sales: int
    returns: int
    by_method: tuple[tuple[str, int], ...]
    counted_cash: int | None
    opened_at: int
    closed_at: int | None
    updated_at: int
    key_id: str | None = None
    taxes: tuple[TaxShare, ...] | None = None

    @property
    def expected(self) -> int:
        """The cash that should lie in the drawer."""
        return expected_cash(self.opening_float, self.cash_sales, 0, self.cash_refunds, self.paid_in, self.paid_out)


class CashMovement(msgspec.Struct, frozen=True, gc=False):
    """Cash put into a drawer or taken out of it by hand; `account` when the books shall know."""

    id: str
    session_id: str
    direction: str
    amount: int
    reason: str
    account: str | None
    actor: str
    created_at: int


class SessionTotals(msgspec.Struct, frozen=True, gc=False):
    """What one command adds to a register session, in minor units; `by_method` and `taxes` are signed (refunds are
    negative)."""

    cash_sales: int = 0
    cash_refunds: int = 0
    paid_in: int = 0
    paid_out: int = 0
    sales: int = 0
    returns: int = 0
    by_method: dict[str, int] = {}
    taxes: tuple[TaxShare, ...] = ()


class OpenSession(Command, frozen=True, gc=False):
    """Open a drawer with `opening_float` (a decimal string) in it; the token's hash is made outside."""

    register_id: str
    opening_float: str
    token_hash: str
    opened_by: str
    opener_id: str | None = None
    key_id: str | None = None


class MoveCash(Command, frozen=True, gc=False):
    """Put cash in or take it out; the session is the caller's."""

    direction: Literal["in", "out"]
    amount: str
    reason: str
    account: str | None = None


class CloseSession(Command, frozen=True, gc=False):
    """Count the drawer and close it; the session is the caller's, or the one named, whose token was lost."""

    counted_cash: str
    session_id: str | None = None


class SessionDocument(msgspec.Struct, frozen=True, gc=False):
    """A session as the API shows it: the X report while it is open, the Z report when it is closed."""

    id: str
    number: int
    register_id: str
    store_id: str
    status: str
    opened_by: str
    closed_by: str | None
    opened_at: str
    closed_at: str | None
    opening_float: str
    cash_sales: str
    cash_refunds: str
    paid_in: str
    paid_out: str
    sales: int
    returns: int
    expected_cash: str | None
    counted_cash: str | None
    over_short: str | None
    totals_by_method: dict[str, str]
    taxes: list[TaxDocument]


class CashDocument(msgspec.Struct, frozen=True, gc=False):
    """A cash movement as the API shows it."""

    id: str
    session_id: str
    direction: str
    amount: str
    reason: str
    account: str | None
    actor: str
    created_at: str


def open_session(stock: Stock, command: OpenSession) -> SessionDocument:
    """Decide an OpenSession: one open session a register."""
    register: Register | None = stock.record("register", command.register_id)
    if register is None or not register.active:
        raise not_found(Code.NOT_FOUND, "Register", command.register_id)
    stores = stock.caller.stores
    if stores is not None and register.store_id not in stores:
        raise Refused(Code.FORBIDDEN, "The register belongs to another store.")
    amount = to_minor(command.opening_float, stock.settings.minor_digits)
    if amount is None or not 0 <= amount <= ASIDE_MAX:
        raise Refused(Code.INVALID_AMOUNT, "opening_float is not an amount of money, or beyond bounds.")
    known = sessions_of(stock, register.id)
    if any(session.status == OPEN for session in known):
        raise invalid_state("The register has an open session.")
    session = RegisterSession(
        id=stock.new_id(),
        number=max((one.number for one in known), default=0) + 1,
        register_id=register.id,
        store_id=register.store_id,
        status=OPEN,
        token_hash=command.token_hash,
        opened_by=command.opened_by,
        opener_id=command.opener_id or None,
        closed_by=None,
        opening_float=amount,
        cash_sales=0,
        cash_refunds=0,
        paid_in=0,
        paid_out=0,
        sales=0,
        returns=0,
        by_method=(),
        counted_cash=None,
        opened_at=stock.now,
        closed_at=None,
        updated_at=stock.now,
        key_id=command.key_id or None,
    )
    stock.loaded.add(SessionById(session.id))
    stock.put_row(session)
    facts = {"register_id": register.id, "session_id": session.id, "store_id": session.store_id}
    stock.tell("RegisterOpened", None, facts)
    return session_document(session, stock.settings.minor_digits, may_see_cash=True)


def sessions_of(stock: Stock, register_id: str) -> list[RegisterSession]:
    """The register's last session, with whichever of its others are loaded; the caller has locked the register."""
    stock.require(LastSession(register_id))
    return [session for session in stock.rows_of(RegisterSession) if session.register_id == register_id]


def open_session_of(stock: Stock) -> RegisterSession | None:
    """The caller's session, locked; refused when it is closed. None for callers without a till."""
    session_id = stock.caller.session_id
    if session_id is None:
        return None
    stock.require(SessionById(session_id))
    session = stock.row(RegisterSession, session_id)
    if session is None or session.status != OPEN:
        raise invalid_state("The register session is closed.")
    return session


def refuse_closed_session(stock: Stock) -> None:
    """Refuse when the caller's session is closed; callers without a till pass."""
    open_session_of(stock)


def add_to_session(stock: Stock, more: SessionTotals, session: RegisterSession | None = None) -> None:
    """Add what an act took or gave to a session that is open: the caller's, if none is given."""
    session = open_session_of(stock) if session is None else session
    assert isinstance(session, RegisterSession), session
    methods = dict(session.by_method)
    for method, amount in more.by_method.items():
        methods[method] = methods.get(method, 0) + amount
    after = replace(
        session,
        cash_sales=session.cash_sales + more.cash_sales,
        cash_refunds=session.cash_refunds + more.cash_refunds,
        paid_in=session.paid_in + more.paid_in,
        paid_out=session.paid_out + more.paid_out,
        sales=session.sales + more.sales,
        returns=session.returns + more.returns,
        by_method=tuple(sorted(methods.items())),
        taxes=by_rate([*(session.taxes or ()), *more.taxes]) or None,
        updated_at=max(stock.now, session.updated_at),
    )
    cash = (after.cash_sales, after.cash_refunds, after.paid_in, after.paid_out)
    if max(*cash, *map(abs, methods.values())) > VALUE_MAX:
        raise value_exceeded()
    stock.put_row(after)


def move_cash(stock: Stock, command: MoveCash) -> CashDocument:
    """Decide a MoveCash: more than should be in the drawer cannot be taken out."""
    amount = to_minor(command.amount, stock.settings.minor_digits)
    if amount is None or not 0 < amount <= ASIDE_MAX:
        raise Refused(Code.INVALID_AMOUNT, "amount is not an amount of money above zero, or beyond bounds.")
    if command.account is not None:
        _refuse_account(stock, command.account)
    session = open_session_of(stock)
    if session is None:
        raise _at_no_till()
    if command.direction == "out" and amount > session.expected:
        raise invalid_state("There is not that much cash in the drawer.")
    coming = command.direction == "in"
    moved = CashMovement(
        id=stock.new_id(),
        session_id=session.id,
        direction=command.direction,
        amount=amount,
        reason=command.reason,
        account=command.account,
        actor=stock.caller.actor,
        created_at=stock.now,
    )
    stock.put_row(moved)
    add_to_session(stock, SessionTotals(paid_in=amount) if coming else SessionTotals(paid_out=amount))
    if command.account is not None:
        signed = amount if coming else -amount
        stage_money(stock, "CASH", moved.id, f"Cash {command.direction}: {command.reason}"[:200], [
            (CASH, signed),
            (command.account, -signed),
        ], session.store_id)  # fmt: skip
    return cash_document(moved, stock.settings.minor_digits)


def _refuse_account(stock: Stock, account: str) -> None:
    """Refuse an account that is not there, one that the shop keeps by itself, and to who is no manager one that is no
    expense, or an expense of goods (docs/how-to/registers.md)."""
    if account in KEPT_BY_ITSELF:
        detail = f"Account {account} cannot be the other side of cash: it follows the {KEPT_BY_ITSELF[account]}."
        raise Refused(Code.INVALID_REQUEST, detail, {"field": "account"})
    if account not in ACCOUNTS and stock.record("account", account) is None:
        raise Refused(Code.INVALID_REQUEST, f"There is no account {account!r}.", {"field": "account"})
    expense = account in EXPENSES if account in ACCOUNTS else account_kind(account) == "expense"
    if not expense and not stock.caller.rights.has(Permission.MANAGE):
        raise Refused(Code.FORBIDDEN, f"Cash against account {account} needs {Permission.MANAGE}.")


EXPENSES = frozenset({SHRINKAGE, CASH_OVER_SHORT})
"""Accounts of the first chart against which whoever is at a till moves cash, as they do against expenses that were
added."""


def _at_no_till() -> Refused:
    """Refuse what only a till can mean: the caller has no register session."""
    return malformed("session_id", "is required: who asks is at no till.")


def close_session(stock: Stock, command: CloseSession) -> SessionDocument:
    """Decide a CloseSession: over or short is booked, the report stands for ever."""
    counted = to_minor(command.counted_cash, stock.settings.minor_digits)
    if counted is None or counted < 0:
        raise Refused(Code.INVALID_AMOUNT, "counted_cash is not an amount of money.")
    session_id = command.session_id or stock.caller.session_id
    if session_id is None:
        raise _at_no_till()
    carts = _open_carts(stock, session_id)
    session = open_session_of(stock) if command.session_id is None else _named_session(stock, command.session_id)
    assert session is not None
    with stock.consequences():  # units of a cart that lie in another store stay held, whoever closes the till
        stock.each(carts, lambda _, cart: suspend(stock, cart))
    over = counted - session.expected
    closed = replace(
        session,
        status=CLOSED,
        closed_by=stock.caller.actor,
        counted_cash=counted,
        closed_at=max(stock.now, session.updated_at),
        updated_at=max(stock.now, session.updated_at),
    )
    stock.put_row(closed)
    if over:
        money = [(CASH, over), (CASH_OVER_SHORT, -over)]
        stage_money(stock, "REGISTER", closed.id, f"Register session {closed.number}", money, closed.store_id)
    facts = {"register_id": closed.register_id, "session_id": closed.id, "store_id": closed.store_id}
    stock.tell("RegisterClosed", None, facts)
    return session_document(closed, stock.settings.minor_digits, may_see_cash=True)


def _open_carts(stock: Stock, session_id: str) -> list[Sale]:
    """The carts that are open at the till; they are locked before its session is, as by those who complete them."""
    written = [sale.id for sale in stock.rows_of(Sale) if sale.session_id == session_id]
    names = sorted({*stock.require(CartsOfSession(session_id)), *written})
    stock.require(*(SaleById(name) for name in names))
    found = [sale for name in names if (sale := stock.row(Sale, name)) is not None]
    return [sale for sale in found if sale.status == OPEN and sale.session_id == session_id]


def _named_session(stock: Stock, session_id: str) -> RegisterSession:
    """An open session by its id, locked."""
    stock.require(SessionById(session_id))
    session = stock.row(RegisterSession, session_id)
    if session is None:
        raise not_found(Code.NOT_FOUND, "Register session", session_id)
    stores = stock.caller.stores
    if stores is not None and session.store_id not in stores:
        raise Refused(Code.FORBIDDEN, "The register belongs to another store.")
    if session.status != OPEN:
        raise invalid_state("The register session is closed.")
    return session


def session_document(session: RegisterSession, digits: int, *, may_see_cash: bool) -> SessionDocument:
    """The public shape of a session; while it is open what should be in the drawer is for managers only."""

    def money(amount: int) -> str:
        return from_minor(amount, digits)

    seen = may_see_cash or session.status == CLOSED
    counted = session.counted_cash
    return SessionDocument(
        id=session.id,
        number=session.number,
        register_id=session.register_id,
        store_id=session.store_id,
        status=session.status,
        opened_by=session.opened_by,
        closed_by=session.closed_by,
        opened_at=instant_text(session.opened_at),
        closed_at=None if session.closed_at is None else instant_text(session.closed_at),
        opening_float=money(session.opening_float),
        cash_sales=money(session.cash_sales),
        cash_refunds=money(session.cash_refunds),
        paid_in=money(session.paid_in),
        paid_out=money(session.paid_out),
        sales=session.sales,
        returns=session.returns,
        expected_cash=money(session.expected) if seen else None,
        counted_cash=None if counted is None else money(counted),
        over_short=None if counted is None else money(counted - session.expected),
        totals_by_method={method: money(amount) for method, amount in session.by_method},
        taxes=tax_documents(session.taxes or (), digits),
    )


def cash_document(moved: CashMovement, digits: int) -> CashDocument:
    """The public shape of a cash movement."""
    return CashDocument(
        id=moved.id,
        session_id=moved.session_id,
        direction=moved.direction,
        amount=from_minor(moved.amount, digits),
        reason=moved.reason,
        account=moved.account,
        actor=moved.actor,
        created_at=instant_text(moved.created_at),
    )


def register_fields(register: Register) -> dict[str, Any]:
    """A register as the API shows it."""
    return {
        "id": register.id,
        "store_id": register.store_id,
        "code": register.code,
        "name": register.name,
        "active": register.active,
        "created_at": instant_text(register.created_at),
        "updated_at": instant_text(register.updated_at),
    }


DECISIONS = (
    Decision(OpenSession, open_session, Permission.SELL),
    Decision(MoveCash, move_cash, Permission.SELL),
    Decision(CloseSession, close_session, Permission.SELL, of_session=True),
)
