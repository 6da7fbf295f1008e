"""Answers kept for idempotency keys, read outside a batch: where nothing is to be done any more but to say it again."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from holdfast.db import schema
from holdfast.db.engine import Database

_answered = schema.answered.c


class SaidAnswer(NamedTuple):
    """What was answered, and to which request."""

    fingerprint: str
    status: int
    body: bytes


def kept_answer(database: Database, org_id: str, key: str) -> SaidAnswer | None:
    """The answer that is kept for an organisation's key."""
    asked = sa.select(_answered.fingerprint, _answered.status, _answered.body)
    with database.reading() as connection:
        row = connection.execute(asked.where(_answered.org_id == org_id, _answered.key == key)).first()
    return None if row is None else SaidAnswer(row.fingerprint, row.status, row.body.encode())
