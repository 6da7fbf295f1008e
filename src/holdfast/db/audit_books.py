"""What the check reads of the books: journal entries, postings, what the ledger moved, kept balances."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from holdfast.core.records.learned_type import learned
from holdfast.core.stock.journal import JournalEntry, Posting
from holdfast.db import audit_entries
from holdfast.db.audit_shapes import Balances, Billed, Booked, DaySum, Kept, Moved, Reversal, Stored
from holdfast.db.audit_stream import AuditStream, and_where, where
from holdfast.db.exact_sum import exact


class BookStreams(AuditStream):
    """Streams of the books; `org_id` limits each to an organisation."""

    def journal_entries(self, org_id: str | None) -> Iterator[Stored]:
        """Journal entries by id."""
        yield from self._structs(JournalEntry, "", "", "ORDER BY t.org_id, t.id", org_id)

    def postings(self, org_id: str | None) -> Iterator[Stored]:
        """Postings by entry and position."""
        yield from self._structs(Posting, "", "", "ORDER BY t.org_id, t.entry_id, t.position", org_id)

    def booked(self, org_id: str | None) -> Iterator[Booked]:
        """Every ledger entry that a journal entry names, by its id."""
        rows = self._stream(
            f"SELECT t.org_id, k.value{self._plain}, t.id, t.ref_type, t.ref_id FROM journal_entry t "
            f"CROSS JOIN {self._ledger_ids} {where(org_id)} ORDER BY 1, 2, 3",
            org_id,
        )
        for org, ledger_id, entry_id, ref_type, ref_id in rows:
            yield Booked(str(org), str(ledger_id), str(entry_id), ref_type, ref_id)

    def booked_values(self, org_id: str | None) -> Iterator[tuple[str, str, int]]:
        """(organisation, journal entry, value of the ledger entries that it names), by journal entry."""
        # Each id finds its row by the key. Else both databases look through the whole ledger for each journal entry:
        # SQLite keeps the order of a CROSS JOIN only; PostgreSQL uses the key for a uuid only, which a text may not be.
        is_id = "k.value ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
        join, named = (
            ("CROSS JOIN", "k.value") if self._is_sqlite else ("JOIN", f"CASE WHEN {is_id} THEN k.value::uuid END")
        )
        rows = self._stream(
            f"SELECT t.org_id, t.id, {self._sum('l.value_delta')} FROM journal_entry t CROSS JOIN {self._ledger_ids} "
            f"{join} ledger l ON l.org_id = t.org_id AND l.id = {named} {where(org_id)} "
            "GROUP BY 1, 2 ORDER BY 1, 2",
            org_id,
        )
        for org, entry_id, value in rows:
            yield str(org), str(entry_id), exact(value)

    def moved(self, org_id: str | None) -> Iterator[Moved]:
        """Ledger entries that moved value and have to be booked, by id."""
        rows = self._stream(
            "SELECT t.org_id, t.id, t.ref_type, t.ref_id, t.value_delta, t.created_at "
            f"FROM ledger t {where(org_id)} {and_where(org_id)} "
            "t.value_delta <> 0 AND t.ref_type NOT IN ('TRANSFER', 'EXPIRY') ORDER BY t.org_id, t.id",
            org_id,
        )
        for org, ledger_id, ref_type, ref_id, value, at in rows:
            yield Moved(str(org), str(ledger_id), ref_type, ref_id, int(value), int(at))

    def reversals(self, org_id: str | None) -> Iterator[Reversal]:
        """Entries that take others back, by id."""
        rows = self._stream(audit_entries.reversals(org_id, is_sqlite=self._is_sqlite), org_id)
        for org, entry_id, same, left in rows:
            yield Reversal(str(org), str(entry_id), bool(same), int(left))

    def bills(self, org_id: str | None) -> Iterator[Billed]:
        """Receipts with bills, by id."""
        for org, receipt_id, received, cleared, standing in self._stream(audit_entries.bills(org_id), org_id):
            yield Billed(str(org), receipt_id, int(received), int(cleared), int(standing))

    def kept_balances(self, org_id: str | None) -> Iterator[Kept]:
        """What closes and ends of days kept, by day."""
        rows = self._stream(
            f"SELECT t.org_id, t.id, 'period', t.balances FROM period t {where(org_id)} UNION ALL "
            f"SELECT t.org_id, t.id, 'day_end', t.balances FROM day_end t {where(org_id)} {and_where(org_id)} "
            "t.balances IS NOT NULL ORDER BY 1, 2, 3",
            org_id,
        )
        for org, day, kind, told in rows:
            balances: Balances | None
            try:
                balances = msgspec.convert(json.loads(told) if isinstance(told, str) else told, learned(Balances))
            except (ValueError, msgspec.MsgspecError):
                balances = None
            yield Kept(str(org), str(day), kind, balances)

    def day_sums(self, org_id: str | None) -> Iterator[DaySum]:
        """What was posted to each account on each day, by day."""
        rows = self._stream(
            f"SELECT t.org_id, t.day, t.account, {self._sum('CASE WHEN t.amount > 0 THEN t.amount ELSE 0 END')}, "
            f"{self._sum('CASE WHEN t.amount < 0 THEN -t.amount ELSE 0 END')} FROM posting t {where(org_id)} "
            "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            org_id,
        )
        for org, day, account, debit, credit in rows:
            yield DaySum(str(org), day, account, exact(debit), exact(credit))
