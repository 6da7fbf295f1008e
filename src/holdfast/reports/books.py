"""The books: accounts, closes, the journal, trial balances, what the stock is worth."""

from __future__ import annotations

from holdfast.db.queries import books, valuation
from holdfast.db.queries.paging import EMPTY, Json, Page
from holdfast.reports.view import LIMIT_DEFAULT, View, instant


class BookReports(View):
    """The books."""

    def accounts(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """The chart of accounts by code: `{code, name, kind}`."""
        return self._read(org_id, EMPTY, books.accounts, cursor, limit)

    def periods(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Closes of the books, the last one first: `{through, closed_by, closed_at}`."""
        return self._read(org_id, EMPTY, books.periods, cursor, limit)

    def journal(
        self,
        org_id: str,
        *,
        account: str | None = None,
        ref_type: str | None = None,
        ref_id: str | None = None,
        from_: int | None = None,
        to: int | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Journal entries with their lines (docs/how-to/books.md) with `from_ <= at < to`, in microseconds."""
        wanted = books.Filter(account=account, ref_type=ref_type, ref_id=ref_id, from_=from_, to=to)
        return self._read(org_id, EMPTY, books.journal, wanted, cursor=cursor, limit=limit)

    def trial_balance(self, org_id: str, *, as_of: books.AsOf = None) -> Json | None:
        """`{as_of, items: [{account, name, debit, credit, balance}], total_debit, total_credit}`.

        `as_of` is a day (what was posted on it or before) or an instant in microseconds (what was posted until then).
        """
        return self._read(org_id, None, books.trial_balance, as_of)

    def valuation(
        self,
        org_id: str,
        *,
        as_of: books.AsOf = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Json | None:
        """`{as_of, total, items: [{lot_id, lot_code, product_id, sku, location, on_hand, value}], next_cursor}`.

        `as_of` is a day (what was posted on it or before) or an instant in microseconds.
        """
        return self._read(org_id, None, valuation.valuation, as_of, cursor, limit, instant(now))
