"""The check of the books: every entry balances, and the journal tells the same as ledger, lots and money."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.check.expected_money import ExpectedMoney
from holdfast.check.run import Merged, Run, Tally
from holdfast.core.organisation.bookkeeping import BILL, BY_HAND
from holdfast.core.stock.journal import (
    CASH,
    CASH_OVER_SHORT,
    GIFT_CARDS,
    INVENTORY,
    KEPT_BY_ITSELF,
    OPENING,
    RECEIVABLE,
    RETURNS,
    REVENUE,
    ROUNDING,
    TAX_PAYABLE,
    TIPS,
    JournalEntry,
    Posting,
    usual_account,
)
from holdfast.db.audit_rows import Snapshot
from holdfast.db.audit_shapes import Booked, Moved, Stored

_OF_MONEY = (CASH, RECEIVABLE, TAX_PAYABLE, GIFT_CARDS, TIPS, REVENUE, RETURNS, CASH_OVER_SHORT, ROUNDING)
"""Accounts to which only sales, returns, gift cards, drawers and the bookkeeper post."""


class Opening(msgspec.Struct):
    """The entry that books what stock was worth when the books began: `value` (minor units) at `at` (microseconds).

    `moved` is what the movements until then, which no other entry names, add up to.
    """

    row: str
    at: int
    value: int
    moved: int = 0


class BooksCheck(Run):
    """The journal; `money` is what sales, returns and drawers must have brought to the accounts."""

    def __init__(self, rows: Snapshot, org_id: str | None, tally: Tally, money: ExpectedMoney) -> None:
        super().__init__(rows, org_id, tally)
        self._money = money
        self._balances: dict[tuple[str, str], int] = {}
        self._openings: dict[str, Opening] = {}
        """By organisation."""
        self._settling: set[tuple[str, str]] = set()
        """(organisation, account) of methods of payment that have an account of their own."""

    def journal(self) -> None:
        """Walk all entries, and beside them their postings and what they say to have booked."""
        rows, org = self._rows, self._org
        postings = Merged(rows.postings(org), lambda row: (row.org_id, str(row.raw[1])))
        values = Merged(rows.booked_values(org), lambda one: one[:2])
        for row in rows.journal_entries(org):
            key = (row.org_id, str(row.raw[1]))
            self._orphans(postings, key)
            entry: JournalEntry | None = self._sound(row, f"journal_entry {key[1]}")
            lines = list(self._lines(postings.of(key)))
            value = sum(one[2] for one in values.of(key))
            if entry is not None:
                self._entry(row.org_id, entry, lines, value)
        self._orphans(postings, None)

    def _orphans(self, postings: Merged[Stored], key: tuple[str, ...] | None) -> None:
        """Postings whose entry is not there."""
        for row in postings.before(key):
            for line in self._lines(iter([row])):
                self._tell("posting.entry", f"posting {line.id}", line.entry_id, None, org_id=row.org_id)

    def _lines(self, rows: Iterator[Stored]) -> Iterator[Posting]:
        for row in rows:
            line: Posting | None = self._sound(row, f"posting {row.raw[1]} {row.raw[2]}")
            if line is not None:
                key = (row.org_id, line.account)
                self._balances[key] = self._balances.get(key, 0) + line.amount
                yield line

    def _entry(self, org_id: str, entry: JournalEntry, lines: list[Posting], value: int) -> None:
        name = f"journal_entry {entry.id}"
        self._same("journal_entry balances", name, 0, sum(line.amount for line in lines), org_id=org_id)
        positions = [line.position for line in lines]
        # What was worth nothing when the books began has an entry without lines.
        fewest = 0 if entry.ref_type == OPENING else 2
        self._same("posting.position", name, list(range(max(len(lines), fewest))), positions, org_id=org_id)
        names = {(line.account, line.tax_name, line.tax_rate) for line in lines}
        once = len(names) == len(lines) and all(line.amount or line.tax_net for line in lines)
        self._same("posting.account", name, True, once, org_id=org_id)
        for line in lines:
            whose = (line.day, line.at)
            self._same("posting.day", f"posting {line.id}", (entry.day, entry.at), whose, org_id=org_id)
        inventory = sum(line.amount for line in lines if line.account == INVENTORY)
        self._settled(org_id, name, entry, lines)
        if entry.ref_type == BY_HAND:
            self._by_hand(org_id, name, lines)
        self._same("journal_entry.reverses", name, True, self._may_reverse(entry), org_id=org_id)
        if entry.ref_type == OPENING:
            self._opening(org_id, name, entry, inventory)
            return
        self._same("journal_entry is its ledger entries", name, value, inventory, org_id=org_id)

    def _settled(self, org_id: str, name: str, entry: JournalEntry, lines: list[Posting]) -> None:
        """What was paid by methods with an account of their own lies there, not on the usual account."""
        for method, account, amount in entry.settled or ():
            self._money.put(org_id, usual_account(method), -amount)
            self._money.put(org_id, account, amount)
            self._settling.add((org_id, account))
        unknown = {account for _, account, _ in entry.settled or ()} & KEPT_BY_ITSELF.keys()
        self._same("journal_entry.settled", name, set(), unknown, org_id=org_id)

    def _by_hand(self, org_id: str, name: str, lines: list[Posting]) -> None:
        """An entry by hand is what its lines say, on none of the accounts that the shop keeps by itself."""
        kept = {line.account for line in lines} & KEPT_BY_ITSELF.keys()
        self._same("entry by hand is on accounts of its own", name, set(), kept, org_id=org_id)
        for line in lines:
            self._money.put(org_id, line.account, line.amount)

    def _may_reverse(self, entry: JournalEntry) -> bool:
        """Only entries by hand and bills take others back."""
        return entry.reverses is None or entry.ref_type in (BY_HAND, BILL)

    def corrections(self) -> None:
        """What takes an entry back is its opposite, line by line, and refers to the same thing."""
        for one in self._rows.reversals(self._org):
            name = f"journal_entry {one.entry_id}"
            self._same(
                "reversal is the opposite", name, (one.same_reference, 0), (True, one.unmatched), org_id=one.org_id
            )

    def bills(self) -> None:
        """The bills of a receipt, less those taken back, have cleared all that it posted as not invoiced, or nothing;
        at most one of them stands."""
        for one in self._rows.bills(self._org):
            name = f"receipt {one.receipt_id}"
            self._same("a receipt is billed once", name, True, one.standing in (0, 1), org_id=one.org_id)
            due = one.received if one.standing else 0
            self._same("bill is its receipt", name, due, one.cleared, org_id=one.org_id)

    def _opening(self, org_id: str, name: str, entry: JournalEntry, value: int) -> None:
        """An organisation has one at most; it is for what was moved before, so what it came to is known later."""
        known = self._openings.get(org_id)
        if known is not None:
            self._tell("one opening entry", name, known.row, name, org_id=org_id)
            return
        self._openings[org_id] = Opening(name, entry.at, value)

    def movements(self) -> None:
        """Every ledger entry that moved value is booked, once, under what it refers to, or in the opening entry."""
        booked = Merged(self._rows.booked(self._org), lambda one: one[:2])
        for moved in self._rows.moved(self._org):
            for one in booked.before(moved[:2]):
                self._unmoved(one)
            self._movement(moved, list(booked.of(moved[:2])))
        for one in booked.before(None):
            self._unmoved(one)
        for org_id, opening in self._openings.items():
            self._same(
                "opening entry is what was moved before", opening.row, opening.moved, opening.value, org_id=org_id
            )

    def _unmoved(self, one: Booked) -> None:
        name = f"journal_entry {one.entry_id}"
        self._tell("journal_entry.ledger_ids", name, "a ledger entry to book", one.ledger_id, org_id=one.org_id)

    def _movement(self, moved: Moved, booked: list[Booked]) -> None:
        opening = self._openings.get(moved.org_id)
        if not booked and opening is not None and moved.at <= opening.at:
            opening.moved += moved.value
            return
        if not booked:
            self._tell("ledger is booked", f"ledger {moved.ledger_id}", "once", "never", org_id=moved.org_id)
        for one in booked:
            name = f"journal_entry {one.entry_id}"
            self._same("journal_entry.ref", name, (moved.ref_type, moved.ref_id), one[3:], org_id=moved.org_id)
        for one in booked[1:]:
            name = f"journal_entry {one.entry_id}"
            self._tell("ledger is booked once", name, booked[0].entry_id, one.entry_id, org_id=moved.org_id)

    def kept_balances(self) -> None:
        """What each close, and each end of a day, kept is what was posted through it, and nothing was afterwards."""
        sums = Merged(self._rows.day_sums(self._org), lambda one: (one.org_id, one.day))
        running: dict[str, tuple[int, int]] = {}
        whose = ""
        for org_id, day, kind, found in self._rows.kept_balances(self._org):
            if org_id != whose:
                running, whose = {}, org_id
                for _ in sums.before((org_id, "")):
                    pass  # of organisations that closed nothing
            for one in sums.before((org_id, day + "~")):
                debit, credit = running.get(one.account, (0, 0))
                running[one.account] = (debit + one.debit, credit + one.credit)
            expected = tuple((account, *pair) for account, pair in sorted(running.items()))
            self._same(f"{kind}.balances", f"{kind} {day}", expected, found, org_id=org_id)

    def accounts(self) -> None:
        """The inventory account is what the lots are worth; money accounts are what sales and drawers brought."""
        for org_id in sorted({key[0] for key in (*self._balances, *self._money.by_account)} | set(self._tally.values)):
            worth = self._tally.values.get(org_id, 0)
            found = self._balances.get((org_id, INVENTORY), 0)
            self._same("inventory is its lots", f"account {INVENTORY}", worth, found, org_id=org_id)
            settling = {account for org, account in self._settling if org == org_id}
            for account in (*_OF_MONEY, *sorted(settling - set(_OF_MONEY))):
                expected = self._money.by_account.get((org_id, account), 0)
                found = self._balances.get((org_id, account), 0)
                self._same("account is its money", f"account {account}", expected, found, org_id=org_id)
