"""The check: everything that must always be true, recomputed and compared.

    result = check(Database("sqlite:///shop.db"))
    result.ok, result.mismatches     -> True, []

One consistent snapshot is read from end to end, in memory that does not grow with the history, beside running writers.
Every level is replayed from its ledger with the fold that writes it (`core.records.ledger.follow`), and its chain is
followed from the first entry (`chain`); lots, holds and ledger are added up against each other (`stock`), sales,
returns and drawers with the arithmetic that made them (`sales`), gift cards from their entries (`gift_cards`), the
journal against the ledger, the lots and the money (`books`). Every row's checksum is recomputed, so that a change of
any single field behind Holdfast's back is found and the row is named. It repairs nothing.

See docs/reference/invariants.md and docs/how-to/sell.md and docs/how-to/books.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from holdfast.check.books import BooksCheck
from holdfast.check.drawers import DrawersCheck
from holdfast.check.expected_money import ExpectedMoney, PaidAtTills
from holdfast.check.gift_cards import GiftCardsCheck
from holdfast.check.license_keys import KeysCheck
from holdfast.check.run import PROGRESS_ROWS, Mismatch, Tally
from holdfast.check.sales import SalesCheck
from holdfast.check.stock import StockCheck
from holdfast.db.audit_rows import snapshot
from holdfast.db.audit_shapes import Head
from holdfast.db.engine import Database

__all__ = ["PROGRESS_ROWS", "CheckResult", "Mismatch", "check"]


class CheckResult(msgspec.Struct, frozen=True, gc=False):
    """`checked` rows were looked at; `ok` when nothing is wrong."""

    ok: bool
    checked: int
    mismatches: list[Mismatch]


def check(
    database: Database,
    *,
    org_id: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    heads: Iterable[Head] = (),
) -> CheckResult:
    """Check one organisation, or all. `progress` is told (rows done, rows in all).

    `heads`, in the order in which they were exported, are compared with the ledger as well.
    """
    with snapshot(database) as rows:
        tally = Tally(rows.rows(org_id), progress)
        stock = StockCheck(rows, org_id, tally, heads)
        stock.levels()
        stock.reservations()
        stock.waiting()
        stock.doubled()
        stock.lots()
        stock.documents()
        stock.roads()
        money = ExpectedMoney()
        tills = PaidAtTills()
        SalesCheck(rows, org_id, tally, money, tills).sales()
        DrawersCheck(rows, org_id, tally, money, tills).sessions()
        GiftCardsCheck(rows, org_id, tally, money).cards()
        keys = KeysCheck(rows, org_id, tally)
        keys.keys()
        keys.lines()
        books = BooksCheck(rows, org_id, tally, money)
        books.journal()
        books.movements()
        books.corrections()
        books.bills()
        books.kept_balances()
        books.accounts()
    return CheckResult(not tally.mismatches, tally.checked, tally.mismatches)
