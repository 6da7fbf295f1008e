"""What happened: audit log, events; and what time has made due, for the sweeper."""

from __future__ import annotations

from holdfast.db.queries import audit, events, settling
from holdfast.db.queries.paging import EMPTY, Page
from holdfast.reports.view import LIMIT_DEFAULT, View, instant


class HistoryReports(View):
    """What happened."""

    def audit(
        self,
        org_id: str,
        *,
        actor: str | None = None,
        kind: str | None = None,
        action: str | None = None,
        record_id: str | None = None,
        address: str | None = None,
        from_: int | None = None,
        to: int | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Audit log and stock ledger together: `{id, actor, action, kind, record_id, changes, created_at, ...}`.

        A line of the ledger has kind `stock`, its `ref_type` as action, the level's id, and the entry as changes.
        """
        wanted = audit.Filter(
            actor=actor, kind=kind, action=action, record_id=record_id, address=address, from_=from_, to=to
        )
        return self._read(org_id, EMPTY, audit.listed, wanted, cursor=cursor, limit=limit)

    def events(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Events after the cursor (None: from the beginning), oldest first; `next_cursor` is never None.

        Numbers what committed meanwhile first (decision 0005), so the cursor never skips an event.
        """
        return events.listed(self.database, org_id, cursor, limit)

    def events_end(self, org_id: str) -> str:
        """The cursor after the newest event: what somebody who only wants what comes next begins with."""
        return events.end(self.database, org_id)

    def due(self, now: int | None = None, limit: int = 1000) -> list[tuple[str, list[tuple[str, str]]]]:
        """(organisation, [(product id, location id), ...]) of at most `limit` levels with expired holds or lots."""
        with self.database.reading() as connection:
            return settling.due(connection, instant(now), limit)
