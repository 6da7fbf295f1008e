"""The books over HTTP: journal, trial balance, valuation, accounts, closing a period.

POST /api/v1/journal {"description": "Rent", "lines": [{"account": "6000", "debit": "900.00"}, ...]}
POST /api/v1/receipts/{id}/bill {"amount": "36.20", "reference": "INV-7"}
GET  /api/v1/trial-balance?as_of=2031-01-31            -> debits, credits and balance of every account
GET  /api/v1/valuation?as_of=2031-01-31T12:00:00Z      -> what each lot was worth then
POST /api/v1/periods/close {"through": "2031-01-31"}   -> nothing posts on or before that day any more

The books are the whole organisation's: who is limited to some stores does not see them (the lots of their stores they
do, with their value, in `GET /inventory/lots`).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.organisation.bookkeeping import (
    LINES_MAX,
    BillDocument,
    BillReceipt,
    EntryLine,
    JournalDocument,
    PostEntry,
    ReverseEntry,
)
from holdfast.core.organisation.periods import (
    ACCOUNT_CODE,
    AccountDocument,
    AddAccount,
    ClosePeriod,
    PeriodDocument,
    RenameAccount,
)
from holdfast.core.records.command import Command
from holdfast.core.records.documents import Num
from holdfast.core.records.rejection import Code
from holdfast.core.records.time import day_of
from holdfast.reports import Listing, Reports
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import PAGED, STORE, Call, Pages, Route
from holdfast.web.http.strict_json import Text

_Day = Annotated[str, Meta(min_length=10, max_length=10, extra_json_schema={"format": "date"})]
_Code = Annotated[str, Meta(min_length=1, max_length=20, extra_json_schema={"pattern": f"^{ACCOUNT_CODE}$"})]


class AccountBody(msgspec.Struct, forbid_unknown_fields=True):
    """A further account; the first digit of its code says what it is: 1 asset, 2 liability, 3 equity, 4 income,
    5 to 9 expense."""

    code: _Code
    name: Text


class AccountChange(msgspec.Struct, forbid_unknown_fields=True):
    """Another name."""

    name: Text


class ClosePeriodBody(msgspec.Struct, forbid_unknown_fields=True):
    """The last day that is closed."""

    through: _Day


class EntryLineBody(msgspec.Struct, forbid_unknown_fields=True):
    """A line of an entry by hand: `debit` or `credit`, above zero."""

    account: _Code
    debit: Text | None = None
    credit: Text | None = None


class EntryBody(msgspec.Struct, forbid_unknown_fields=True):
    """An entry by hand: its debits are its credits. `date` is the day on which it counts, today by default."""

    description: Text
    lines: Annotated[list[EntryLineBody], Meta(min_length=2, max_length=LINES_MAX)]
    date: _Day | None = None


class ReverseBody(msgspec.Struct, forbid_unknown_fields=True):
    """The day on which the reversal counts, today by default, and why it was made."""

    date: _Day | None = None
    description: Text | None = None


class BillBody(msgspec.Struct, forbid_unknown_fields=True):
    """A supplier's bill: its amount without recoverable tax, and its number."""

    amount: Text
    reference: Text | None = None


class BalanceRow(msgspec.Struct):
    """An account: all debits, all credits, and debits less credits."""

    account: str
    name: str
    debit: str
    credit: str
    balance: str


class TrialBalance(msgspec.Struct):
    """Every account."""

    as_of: str | None
    items: list[BalanceRow]
    total_debit: str
    total_credit: str


class ValuedLot(msgspec.Struct):
    """A lot at a location and what it is worth."""

    lot_id: str
    lot_code: str | None
    product_id: str
    sku: str
    location: str
    on_hand: Num
    value: str


class Valuation(msgspec.Struct):
    """A page of lots; `total` is of all of them."""

    as_of: str | None
    total: str
    items: list[ValuedLot]
    next_cursor: str | None


class TaxRow(msgspec.Struct):
    """A rate: `gross` = `net` + `tax`, sales less returns. What was posted before rates were kept has its tax alone."""

    name: str | None
    rate: str | None
    net: str | None
    tax: str
    gross: str | None


class TaxReport(msgspec.Struct):
    """Every rate at which something was taxed from the first to the last day."""

    from_: str | None = msgspec.field(name="from")
    to: str | None
    items: list[TaxRow]
    total_tax: str


# Reads ---------------------------------------------------------------------------------------------------------------


def _pages(listing: Listing[Any, Any]) -> Pages:
    return Pages(listing, of_all_stores="The books are about all stores; you are assigned to some.")


# Writes --------------------------------------------------------------------------------------------------------------


def plan_add_account(call: Call) -> Command:
    """Add an account."""
    return AddAccount(call.body.code, call.body.name)


def plan_rename_account(call: Call) -> Command:
    """Rename an account."""
    return RenameAccount(call.args["code"], call.body.name)


def plan_close(call: Call) -> Command:
    """Close the books."""
    through = day_of(call.body.through)
    if through is None:
        raise invalid("through", "must be a day, as 2030-01-31.")
    return ClosePeriod(through)


def _day(text: str | None) -> str | None:
    """The day as it is kept."""
    day = None if text is None else day_of(text)
    if text is not None and day is None:
        raise invalid("date", "must be a day, as 2030-01-31.")
    return day


def plan_post_entry(call: Call) -> Command:
    """Post an entry by hand."""
    body: EntryBody = call.body
    lines = tuple(EntryLine(line.account, line.debit, line.credit) for line in body.lines)
    return PostEntry(body.description, lines, _day(body.date))


def plan_reverse_entry(call: Call) -> Command:
    """Take an entry by hand, or a bill, back."""
    body: ReverseBody = call.body
    return ReverseEntry(call.id(Code.NOT_FOUND, "Journal entry"), _day(body.date), body.description)


def plan_bill(call: Call) -> Command:
    """Enter the supplier's bill of a receipt."""
    return BillReceipt(call.id(Code.NOT_FOUND, "Receipt"), call.body.amount, call.body.reference)


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/journal",
        summary="List journal entries",
        about="`ledger_ids` names the stock movements that an entry books. It is about all stores: who is limited to "
        "some may not see it.",
        tag="Books",
        permission=Permission.MANAGE,
        answer_with=_pages(Reports.journal),
        answer=[JournalDocument],
        query=PAGED,
    ),
    Route(
        method="POST",
        path="/api/v1/journal",
        summary="Post an entry by hand",
        about="The bookkeeper's own entry, on accounts of the chart. It is never on `1000`, `1200` and `2200`: "
        "drawers, lots and gift cards keep those. A closed day, or one that has not begun, is `INVALID_STATE`. It "
        "is never changed: another entry takes it back.",
        tag="Books",
        permission=Permission.CONFIGURE,
        plan=plan_post_entry,
        body=EntryBody,
        answer=JournalDocument,
        status=201,
        codes=(Code.INVALID_AMOUNT, Code.INVALID_STATE),
        example={
            "description": "Card payout of January",
            "lines": [
                {"account": "1010", "debit": "97.00"},
                {"account": "6100", "debit": "3.00"},
                {"account": "1100", "credit": "100.00"},
            ],
        },
        of_all_stores=True,
    ),
    Route(
        method="POST",
        path="/api/v1/journal/{id}/reverse",
        summary="Take an entry by hand, or a bill, back",
        about="By an entry of the opposite lines, once; `reverses` names the first. What a sale, a receipt or another "
        "act of the shop has posted is corrected by an act of the shop, so it is `INVALID_STATE` here.",
        tag="Books",
        permission=Permission.CONFIGURE,
        plan=plan_reverse_entry,
        body=ReverseBody,
        answer=JournalDocument,
        status=201,
        codes=(Code.NOT_FOUND, Code.INVALID_STATE),
        example={"description": "Booked twice"},
        of_all_stores=True,
    ),
    Route(
        method="POST",
        path="/api/v1/receipts/{id}/bill",
        summary="Enter the supplier's bill of a receipt",
        about="What the receipt posted to `2000` is owed to the supplier now (`2010`), as the bill says; the "
        "difference goes to `5400`. Once: a second bill is `INVALID_STATE` until the first is taken back.",
        tag="Books",
        permission=Permission.MANAGE,
        plan=plan_bill,
        body=BillBody,
        answer=BillDocument,
        status=201,
        codes=(Code.NOT_FOUND, Code.INVALID_AMOUNT, Code.INVALID_STATE),
        example={"amount": "36.20", "reference": "INV-7"},
    ),
    Route(
        method="GET",
        path="/api/v1/trial-balance",
        summary="Read the trial balance",
        about="Every account with all its debits and credits. As of a day: what was posted on it or before; as of an "
        "instant: what was posted until then.",
        tag="Books",
        permission=Permission.MANAGE,
        answer_with=_pages(Reports.trial_balance),
        answer=TrialBalance,
    ),
    Route(
        method="GET",
        path="/api/v1/tax-report",
        summary="Read what was taxed at each rate",
        about="By the accounting day of the store, both days included; sales less returns. The taxes together are what "
        "they have posted to account 2100 on these days. Who is limited to some stores sees what was taxed there.",
        tag="Books",
        permission=Permission.MANAGE,
        answer_with=Pages(Reports.tax_report),
        answer=TaxReport,
        query=(STORE,),
    ),
    Route(
        method="GET",
        path="/api/v1/valuation",
        summary="Read what the stock is worth, lot by lot",
        about="`total` is the balance of the inventory account, whatever the page. As of a day: what was posted on it "
        "or before. A page of the past may be short, even empty, and have a `next_cursor`: go on.",
        tag="Books",
        permission=Permission.MANAGE,
        answer_with=_pages(Reports.valuation),
        answer=Valuation,
        query=PAGED,
    ),
    Route(
        method="GET",
        path="/api/v1/accounts",
        summary="List the accounts",
        tag="Books",
        permission=Permission.MANAGE,
        answer_with=Pages(Reports.accounts),
        answer=[AccountDocument],
        query=PAGED,
    ),
    Route(
        method="POST",
        path="/api/v1/accounts",
        summary="Add an account",
        about="Cash paid in or out at a till may name it, an entry by hand, and the settings for a method of payment.",
        tag="Books",
        permission=Permission.MANAGE,
        plan=plan_add_account,
        body=AccountBody,
        answer=AccountDocument,
        status=201,
        codes=(Code.ALREADY_EXISTS,),
        example={"code": "6000", "name": "Rent"},
        of_all_stores=True,
    ),
    Route(
        method="PATCH",
        path="/api/v1/accounts/{code}",
        summary="Rename an account",
        tag="Books",
        permission=Permission.MANAGE,
        plan=plan_rename_account,
        body=AccountChange,
        answer=AccountDocument,
        codes=(Code.NOT_FOUND,),
        example={"name": "Cash in the drawers"},
        of_all_stores=True,
    ),
    Route(
        method="GET",
        path="/api/v1/periods",
        summary="List closes of the books",
        tag="Books",
        permission=Permission.MANAGE,
        answer_with=Pages(Reports.periods),
        answer=[PeriodDocument],
        query=PAGED,
    ),
    Route(
        method="POST",
        path="/api/v1/periods/close",
        summary="Close the books through a day",
        about="Nothing posts on that day or before it any more; what is late posts on the first open day. A day that "
        "has not begun, or is closed already, is `INVALID_STATE`.",
        tag="Books",
        permission=Permission.CONFIGURE,
        plan=plan_close,
        body=ClosePeriodBody,
        answer=PeriodDocument,
        codes=(Code.INVALID_STATE,),
        example={"through": "2026-01-31"},
        of_all_stores=True,
    ),
)
