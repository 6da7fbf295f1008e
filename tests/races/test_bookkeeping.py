"""The books under concurrency: one bill for a receipt, one reversal of an entry, and no bill that stands twice."""

from __future__ import annotations

from collections import Counter

from holdfast.check import check
from holdfast.core.organisation.bookkeeping import BillReceipt, EntryLine, PostEntry, ReverseEntry
from holdfast.core.organisation.periods import AddAccount
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.races.stand import Tally, do, found, open_shop, rush, stock_up
from tests.shop import rows

LINES = (EntryLine("6000", debit="9.00"), EntryLine("2010", credit="9.00"))


def test_a_receipt_is_billed_once_and_an_entry_reversed_once(database_url):
    """Two processes' worth of doors, sixteen threads, each command twenty times."""
    with open_shop(database_url) as one, open_shop(database_url) as two:
        actor = found(one)
        stock_up(one, actor, "MUG-1", 0)
        do(one, actor, AddAccount("6000", "Rent"))
        receipts = [do(one, actor, Receive("MAIN", (ReceiptLine("MUG-1", 1, "3.50"),))).id for _ in range(5)]
        entries = [do(one, actor, PostEntry("Rent", LINES)).id for _ in range(5)]
        billed = [BillReceipt(name, "4.00") for name in receipts]
        back = [ReverseEntry(name) for name in entries]

        tally = Tally(rush((one, two), actor, [*billed, *back] * 20))

        assert (tally.accepted, tally.refused, tally.failed) == (10, Counter(INVALID_STATE=190), [])
        kinds = Counter(row["ref_type"] for row in rows(one.database, "SELECT ref_type FROM journal_entry"))
        assert kinds == {"RECEIPT": 5, "BILL": 5, "ENTRY": 10}
        assert check(one.database).mismatches == []


def test_a_bill_that_is_taken_back_and_entered_at_once_stands_once(database_url):
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 0)
        receipt = do(shop, actor, Receive("MAIN", (ReceiptLine("MUG-1", 1, "3.50"),))).id
        first = do(shop, actor, BillReceipt(receipt, "4.00")).id

        tally = Tally(rush(shop, actor, [BillReceipt(receipt, "5.00"), ReverseEntry(first)] * 20))

        assert tally.failed == []
        assert 1 <= tally.accepted <= 2
        assert check(shop.database).mismatches == []
