"""What is noted of API keys beside the requests: when they were last used, and who was turned away.

    note_uses(database, {(org_id, key_id): now})        -> at most one write a minute and key, whatever the processes
    note_refused(database, org_id, key_id, "203.0.113.7", now)

Nothing here is asked before a request is answered: a lost note is no loss. Times are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
import uuid_utils

from holdfast.db.engine import Database
from holdfast.db.schema import api_key, audit

USE_MICROSECONDS = 60_000_000
"""How much later a use is to be worth a write."""

LOCK_SECONDS = 1
"""Longest that a note waits for somebody who has the key's row locked; then it is lost."""

NOBODY = "system"
"""The actor of an audit entry about somebody who was turned away."""


def note_uses(database: Database, used: Mapping[tuple[str, str], int]) -> None:
    """Write when keys (organisation and id) were last used, where that is not known to the minute.

    Each key is a transaction of its own, which waits for nobody for long. Raises what the driver raises.
    """
    for (org_id, key_id), now in sorted(used.items()):
        known = api_key.c.last_used_at
        with database.writing() as connection:
            if not database.is_sqlite:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            connection.execute(
                sa.update(api_key)
                .where(
                    api_key.c.org_id == org_id,
                    api_key.c.id == key_id,
                    known.is_(None) | (known <= now - USE_MICROSECONDS),
                )
                .values(last_used_at=now)
            )


def note_refused(database: Database, org_id: str, key_id: str, address: str, now: int) -> None:
    """Say in the audit log that a key was shown from an address that it may not be used from."""
    with database.writing() as connection:
        connection.execute(
            sa.insert(audit).values(
                org_id=org_id,
                id=str(uuid_utils.uuid7()),
                actor=NOBODY,
                action="refused",
                kind="api_key",
                record_id=key_id,
                changes={"address": address},
                created_at=now,
                address=address[:64],
            )
        )
