"""What the organisation decides about its books: which days are closed, what its accounts are called.

    ClosePeriod("2031-01-31")              -> nothing posts on or before that day any more
    AddAccount("6000", "Rent")             -> a further account for cash in and out
    RenameAccount("1000", "Drawer")        -> the code stays, and with it everything that was booked

A close keeps what each account had come to by then: what is asked as of a later day is added to that. A late fact
posts on the first open day, so a closed period says the same for ever. A period cannot be opened again.

See docs/how-to/books.md.
"""

from __future__ import annotations

import re

import msgspec

from holdfast.core.organisation.changes import put
from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Day
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused, invalid_state, not_found
from holdfast.core.records.time import day_at, instant_text
from holdfast.core.records.wants import AccountSums, BalancesThrough
from holdfast.core.stock.journal import ACCOUNTS, Account, Posting, account_kind
from holdfast.core.stock.posting import Stock

ACCOUNT_CODE = "[1-9][0-9]{3,9}"
"""What a code looks like; its first digit says what kind of account it is (`account_kind`)."""


class ClosePeriod(Command, frozen=True, gc=False):
    """Close the books through a day (YYYY-MM-DD)."""

    through: Day


class AddAccount(Command, frozen=True, gc=False):
    """A further account."""

    code: str
    name: str


class RenameAccount(Command, frozen=True, gc=False):
    """Another name for an account, one of the first twelve included."""

    code: str
    name: str


class Period(msgspec.Struct, frozen=True, gc=False):
    """A close; `id` is its last day. `balances` are (account, debits, credits) through it, all from the beginning."""

    id: str
    balances: tuple[tuple[str, int, int], ...]
    actor: str
    created_at: int


class PeriodDocument(msgspec.Struct, frozen=True, gc=False):
    """A close as the API shows it."""

    through: str
    closed_by: str
    closed_at: str


class AccountDocument(msgspec.Struct, frozen=True, gc=False):
    """An account as the API shows it."""

    code: str
    name: str
    kind: str


def close_period(stock: Stock, command: ClosePeriod) -> PeriodDocument:
    """Decide a ClosePeriod: days that are over, or today; each time further than before."""
    settings = stock.record("organisation", stock.org_id)
    through, closed = command.through, settings.books_closed_through
    if through > day_at(stock.now, settings.timezone):
        raise invalid_state(f"{through} has not begun: the books are closed through today at the latest.")
    if closed is not None and through <= closed:
        raise invalid_state(f"The books are closed through {closed} already.", books_closed_through=closed)
    balances = _balances(stock, through)
    changed = msgspec.structs.replace(settings, books_closed_through=through, updated_at=stock.now)
    put(stock, "organisation", changed)
    period = Period(through, balances, stock.caller.actor, stock.now)
    stock.put_record("period", period.id, period)
    stock.tell("PeriodClosed", None, {"through": through, "timestamp": instant_text(stock.now)})
    return period_document(period)


def _balances(stock: Stock, through: str) -> tuple[tuple[str, int, int], ...]:
    """What each account has come to through the day: what is in the database, and what this batch posted before."""
    sums: dict[str, list[int]] = {}
    for known in map(AccountSums.of, stock.require(BalancesThrough(through))):
        sums[known.account] = [known.debit, known.credit]
    for posting in stock.rows_of(Posting):
        if posting.day <= through:
            own = sums.setdefault(posting.account, [0, 0])
            own[posting.amount < 0] += abs(posting.amount)
    return tuple((account, debit, credit) for account, (debit, credit) in sorted(sums.items()))


def add_account(stock: Stock, command: AddAccount) -> AccountDocument:
    """Decide an AddAccount."""
    if not re.fullmatch(ACCOUNT_CODE, command.code):
        raise Refused(Code.INVALID_REQUEST, "code must be 4 to 10 digits, not beginning with 0.", {"field": "code"})
    stock.record("organisation", stock.org_id)  # no other batch adds the same one meanwhile
    if command.code in ACCOUNTS or stock.record("account", command.code) is not None:
        raise Refused(Code.ALREADY_EXISTS, f"Account {command.code} exists already.", {"field": "code"})
    account = Account(command.code, command.name, stock.now, stock.now)
    put(stock, "account", account)
    return account_document(account.id, account.name)


def rename_account(stock: Stock, command: RenameAccount) -> AccountDocument:
    """Decide a RenameAccount."""
    if not re.fullmatch(ACCOUNT_CODE, command.code):
        raise not_found(Code.NOT_FOUND, "Account", command.code)
    known: Account | None = stock.record("account", command.code)
    if known is None:
        if command.code not in ACCOUNTS:
            raise not_found(Code.NOT_FOUND, "Account", command.code)
        stock.record("organisation", stock.org_id)  # no other batch writes its first name meanwhile
        known = Account(command.code, ACCOUNTS[command.code], stock.now, stock.now)
    account = msgspec.structs.replace(known, name=command.name, updated_at=stock.now)
    put(stock, "account", account)
    return account_document(account.id, account.name)


def account_name(stock: Stock, code: str) -> str | None:
    """What the account is called; None when the chart has none of that code."""
    own: Account | None = stock.record("account", code) if re.fullmatch(ACCOUNT_CODE, code) else None
    return ACCOUNTS.get(code) if own is None else own.name


def account_document(code: str, name: str) -> AccountDocument:
    """The public shape of an account."""
    return AccountDocument(code, name, account_kind(code))


def period_document(period: Period) -> PeriodDocument:
    """The public shape of a close."""
    return PeriodDocument(period.id, period.actor, instant_text(period.created_at))


DECISIONS = (
    Decision(ClosePeriod, close_period, Permission.CONFIGURE, changes_catalog=True, of_all_stores=True),
    Decision(AddAccount, add_account, Permission.MANAGE, of_all_stores=True),
    Decision(RenameAccount, rename_account, Permission.MANAGE, of_all_stores=True),
)
