"""Seal what ledgers had before there were chains: one digest of each level's older entries, once.

    seal(database)      -> how many levels were sealed now

An older entry keeps no link, and none is written into it: the ledger is only added to. What the entries come to is kept
beside, in `ledger_seal`, computed as a chain is, one entry after the other. It is done organisation by organisation and
level by level, in memory that does not grow, and committed in parts: what was interrupted goes on where it was, beside
running servers, since nothing that it reads changes any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.core.records.ledger import Entry
from holdfast.db import schema
from holdfast.db.batch.chain import begin, link_of
from holdfast.db.batch.rows import content, row_type
from holdfast.db.engine import Database
from holdfast.db.organisations import clock, organisations
from holdfast.db.queries.catalog import columns_of

LEVELS = 200
"""Levels that are committed together."""

ROWS = 1_000
"""Entries in memory."""

_ledger, _seal = schema.ledger.c, schema.ledger_seal.c


def seal(database: Database, progress: Callable[[int], None] | None = None) -> int:
    """Seal every level that has older entries and no seal. `progress` is told how many were sealed so far."""
    sealed = 0
    now = clock(database)
    for organisation in organisations(database):
        org_id, last = organisation.id, None
        while part := _unsealed(database, org_id, last):
            last = part[-1]
            seals = [{"org_id": org_id, **_sealed(database, org_id, level_id), "created_at": now} for level_id in part]
            _keep(database, seals)
            sealed += len(seals)
            if progress is not None:
                progress(sealed)
    return sealed


def _unsealed(database: Database, org_id: str, after: str | None) -> list[str]:
    """Some levels whose first entry has no link, and that have no seal, by id."""
    level = schema.level.c
    first = sa.exists().where(
        _ledger.org_id == org_id, _ledger.level_id == level.id, _ledger.seq == 1, _ledger.link.is_(None)
    )
    known = sa.exists().where(_seal.org_id == org_id, _seal.level_id == level.id)
    asked = sa.select(level.id).where(level.org_id == org_id, first, ~known).order_by(level.id).limit(LEVELS)
    with database.reading() as connection:
        return list(connection.execute(asked if after is None else asked.where(level.id > after)).scalars())


def _sealed(database: Database, org_id: str, level_id: str) -> dict[str, Any]:
    """What the older entries of a level come to."""
    asked = (
        sa.select(*columns_of(schema.ledger, Entry))
        .where(_ledger.org_id == org_id, _ledger.level_id == level_id, _ledger.link.is_(None))
        .order_by(_ledger.seq)
    )
    entries, digest, read = 0, begin(org_id, level_id), row_type(Entry).read
    with database.reading() as connection:
        for row in connection.execution_options(yield_per=ROWS).execute(asked):
            entries, digest = entries + 1, link_of(digest, (content(read(row)),))
    return {"level_id": level_id, "entries": entries, "digest": digest}


def _keep(database: Database, seals: list[dict[str, Any]]) -> None:
    """Commit some seals; one that another process made meanwhile stays."""
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    with database.writing() as connection:
        connection.execute(insert(schema.ledger_seal).on_conflict_do_nothing(), seals)
