"""The books over HTTP: journal, trial balance, valuation, accounts, closing a period.

GET  /api/v1/trial-balance?as_of=2031-01-31            -> debits, credits and balance of every account
GET  /api/v1/valuation?as_of=2031-01-31T12:00:00Z      -> what each lot was worth then
POST /api/v1/periods/close {"through": "2031-01-31"}   -> nothing posts on or before that day any more

The books are the whole organisation's: who is limited to some stores does not see them (the lots of their stores they
do, with their value, in `GET /inventory/lots`).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.access import Permission
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
from holdfast.core.records.tax import TaxDocument
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


class JournalLine(msgspec.Struct):
    """A line of an entry: one of debit and credit is zero. A line of tax says at which rate, and of what net."""

    account: str
    name: str
    debit: str
    credit: str
    tax: TaxDocument | UnsetType = UNSET


class JournalDocument(msgspec.Struct):
    """A journal entry. `day` is the day on which it counts, `at` when it was made."""

    id: str
    at: str
    day: str
    description: str
    ref_type: str
    ref_id: str | None
    ledger_ids: list[str]
    lines: list[JournalLine]


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
        "was posted to account 2100 on these days. Who is limited to some stores sees what was taxed there.",
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
        about="Cash paid in or out at a till may name it.",
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
