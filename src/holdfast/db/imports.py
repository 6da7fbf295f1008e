"""Imports beside commands: their files, who works on which of them, and what became of their rows.

    keep_file(database, org_id, digest, content)
    job = claim(database, org_id, import_id, owner)      -> the import, for LEASE_SECONDS; None: another worker has it
    keep_rows(database, job, counts, rows)               -> False: the lease was lost, and nothing is written
    let_go(database, job, "done")                        -> it has ended

What may be written is what the lease allows: each statement names the owner, so a worker that was paused and comes back
writes nothing. Times are microseconds since 1970, by the database's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.db.engine import Database
from holdfast.db.organisations import clock
from holdfast.db.schema import answered, import_file, import_job, import_row

LEASE_SECONDS = 15
"""How long a worker has an import that it says nothing of."""

KEPT_MAX = 200
"""Imports of an organisation that are kept with their rows and files."""

ORPHAN_SECONDS = 3600
"""How long a file is kept that no import names (yet)."""

KEPT_ROWS_MAX = 1_000_000
"""Rows that the imports of an organisation that are kept have together; the last import is kept in any case."""

DUE_MAX = 50
"""Most imports that one look takes on."""

ROWS = 1_000
"""Rows that are read together."""

DUE = ("waiting", "running", "taking_back")
TAKEN_BACK_FROM = ("added", "changed")
"""States of rows that changed something."""

_SECOND = 1_000_000
_job, _row, _file = import_job.c, import_row.c, import_file.c

COUNTS = ("done", "added", "changed", "unchanged", "refused", "waiting", "unmapped")


class Job(NamedTuple):
    """An import that a worker has: what the table says of it."""

    org_id: str
    id: str
    kind: str
    dry_run: bool
    name: str | None
    choices: dict[str, Any]
    file: str
    lines: int
    state: str
    actor: str
    actor_id: str
    stores: tuple[str, ...]
    started_at: int
    interruptions: int
    owner: str


# Files ---------------------------------------------------------------------------------------------------------------


def keep_file(database: Database, org_id: str, digest: str, content: bytes) -> None:
    """Keep a file by the SHA-256 of its text; one that is there is kept anew."""
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    row = insert(import_file).values(org_id=org_id, digest=digest, content=content, created_at=clock(database))
    kept = row.on_conflict_do_update(index_elements=["org_id", "digest"], set_={"created_at": row.excluded.created_at})
    with database.writing() as connection:
        connection.execute(kept)


def file_of(database: Database, org_id: str, digest: str) -> bytes | None:
    """The content that is kept by a digest."""
    asked = sa.select(_file.content).where(_file.org_id == org_id, _file.digest == digest)
    with database.reading() as connection:
        content = connection.execute(asked).scalar()
    return None if content is None else bytes(content)


def under_way(database: Database, org_id: str) -> int:
    """How many imports of an organisation wait or are worked on."""
    asked = sa.select(sa.func.count()).where(_job.org_id == org_id, _job.state.in_(DUE))
    with database.reading() as connection:
        return int(connection.execute(asked).scalar_one())


# Who works on what ---------------------------------------------------------------------------------------------------


def due(database: Database) -> list[tuple[str, str]]:
    """(organisation, import) of what is to be worked on and nobody has: first what somebody began."""
    free = sa.or_(_job.owner.is_(None), _job.lease_until < clock(database))
    asked = sa.select(_job.org_id, _job.id).where(_job.state.in_(DUE), free)
    order = (_job.owner.is_(None), _job.created_at, _job.id)
    with database.reading() as connection:
        return [(str(row[0]), str(row[1])) for row in connection.execute(asked.order_by(*order).limit(DUE_MAX))]


def claim(database: Database, org_id: str, import_id: str, owner: str) -> Job | None:
    """The import for this worker; None where another one has it, or another one of the organisation."""
    now = clock(database)
    taken = (
        sa.update(import_job)
        .where(
            _job.org_id == org_id,
            _job.id == import_id,
            _job.state.in_(DUE),
            sa.or_(_job.owner.is_(None), _job.lease_until < now),
        )
        .values(
            owner=owner,
            lease_until=now + LEASE_SECONDS * _SECOND,
            state=sa.case((_job.state == "waiting", "running"), else_=_job.state),
            started_at=sa.func.coalesce(_job.started_at, now),
            interruptions=_job.interruptions + sa.case((_job.owner.is_(None), 0), else_=1),
        )
    )
    asked = sa.select(*(import_job.c[name] for name in Job._fields)).where(_job.org_id == org_id, _job.id == import_id)
    try:
        with database.writing() as connection:
            if connection.execute(taken).rowcount != 1:
                return None
            row = connection.execute(asked).mappings().one()
    except sa.exc.IntegrityError:  # the organisation has one in work
        return None
    fields = {**row, "org_id": str(row["org_id"]), "id": str(row["id"]), "actor_id": str(row["actor_id"])}
    return Job(**{**fields, "stores": tuple(row["stores"]), "owner": owner})


def renew(database: Database, job: Job) -> bool:
    """Keep the import for another while; False when the lease was lost."""
    until = clock(database) + LEASE_SECONDS * _SECOND
    with database.writing() as connection:
        return bool(connection.execute(_own(job).values(lease_until=until)).rowcount)


def let_go(database: Database, job: Job, state: str | None = None, detail: str | None = None) -> bool:
    """End the import in a state, or (None) leave it to whoever comes next; False when the lease was lost."""
    now = clock(database)
    values: dict[str, Any] = {"owner": None, "lease_until": None, "updated_at": now}
    if state is not None:
        values.update(state=state, detail=detail, finished_at=now, interruptions=0)
        if state == "done" and job.state != "taking_back":
            values["done"] = _job.lines
    with database.writing() as connection:
        return bool(connection.execute(_own(job).values(**values)).rowcount)


def _own(job: Job) -> sa.Update:
    return sa.update(import_job).where(_job.org_id == job.org_id, _job.id == job.id, _job.owner == job.owner)


# Rows ----------------------------------------------------------------------------------------------------------------


def keep_rows(database: Database, job: Job, counts: Mapping[str, int], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Write what became of rows, and the counts with them; False when the lease was lost."""
    now = clock(database)
    with database.writing() as connection:
        if not connection.execute(_own(job).values(**counts, updated_at=now)).rowcount:
            return False
        if rows:
            connection.execute(
                sa.insert(import_row), [{"org_id": job.org_id, "import_id": job.id, **row} for row in rows]
            )
    return True


def forget_rows(database: Database, job: Job, *, all_of_them: bool) -> bool:
    """Forget what was said of an import that begins again: what it refused and noted, or everything."""
    gone = sa.delete(import_row).where(_row.org_id == job.org_id, _row.import_id == job.id)
    if not all_of_them:
        gone = gone.where(_row.state.in_(("refused", "note")))
    with database.writing() as connection:
        if not connection.execute(_own(job).values(lease_until=_job.lease_until)).rowcount:
            return False
        connection.execute(gone)
    return True


def rows_of(database: Database, org_id: str, import_id: str, state: str | None = None) -> Iterator[list[sa.RowMapping]]:
    """The rows of an import in the order in which they were done, ROWS at a time."""
    after = -1
    while True:
        asked = sa.select(import_row).where(_row.org_id == org_id, _row.import_id == import_id, _row.position > after)
        if state is not None:
            asked = asked.where(_row.state == state)
        with database.reading() as connection:
            part = list(connection.execute(asked.order_by(_row.position).limit(ROWS)).mappings())
        if not part:
            return
        yield part
        after = part[-1]["position"]


def said_of(database: Database, job: Job) -> Iterator[str]:
    """What is kept under idempotency keys of the rows of an import, since it was begun, as JSON."""
    begins = msgspec.json.encode({"import": job.id}).decode().removesuffix("}")
    asked = sa.select(answered.c.body).where(
        answered.c.org_id == job.org_id,
        answered.c.created_at >= job.started_at,
        sa.func.substr(answered.c.body, 1, len(begins)) == begins,
    )
    with database.reading() as connection:
        for part in connection.execution_options(yield_per=ROWS).execute(asked).scalars().partitions(ROWS):
            yield from part


# Taking back ---------------------------------------------------------------------------------------------------------


def rows_to_take_back(database: Database, job: Job, limit: int) -> list[sa.RowMapping]:
    """The last rows that changed something and of which it is not known what came of taking them back."""
    asked = sa.select(import_row).where(
        _row.org_id == job.org_id,
        _row.import_id == job.id,
        _row.state.in_(TAKEN_BACK_FROM),
        _row.back.is_(None),
    )
    with database.reading() as connection:
        return list(connection.execute(asked.order_by(_row.position.desc()).limit(limit)).mappings())


def keep_taken_back(database: Database, job: Job, outcomes: Sequence[tuple[int, str | None]]) -> bool:
    """Write of rows by position why they were kept (None: they were taken back); False when the lease was lost."""
    kept = sum(reason is not None for _, reason in outcomes)
    now = clock(database)
    counts = {
        "taken_back": _job.taken_back + len(outcomes) - kept,
        "kept": _job.kept + kept,
        "updated_at": now,
    }
    changed = (
        sa.update(import_row)
        .where(_row.org_id == job.org_id, _row.import_id == job.id, _row.position == sa.bindparam("at"))
        .values(back=sa.bindparam("what"), reason=sa.bindparam("why"))
    )
    rows = [{"at": at, "what": "taken_back" if reason is None else "kept", "why": reason} for at, reason in outcomes]
    with database.writing() as connection:
        if not connection.execute(_own(job).values(**counts)).rowcount:
            return False
        connection.execute(changed, rows)
    return True


def begin_taking_back(database: Database, job: Job) -> None:
    """Try again what was kept by an earlier try of taking back."""
    with database.writing() as connection:
        if connection.execute(_own(job).values(kept=0)).rowcount:
            connection.execute(
                sa.update(import_row)
                .where(_row.org_id == job.org_id, _row.import_id == job.id, _row.back == "kept")
                .values(back=None, reason=None)
            )


# What is old ---------------------------------------------------------------------------------------------------------


def prune(database: Database, org_id: str) -> int:
    """Forget old imports of an organisation, and files that none names; how many imports: beyond the last KEPT_MAX, and
    beyond the last ones that have KEPT_ROWS_MAX rows together."""
    asked = sa.select(_job.id, _job.lines, _job.state).where(_job.org_id == org_id).order_by(_job.id.desc())
    old: list[str] = []
    lines = 0
    with database.reading() as connection:
        for number, row in enumerate(connection.execute(asked)):
            lines += row.lines
            if number and (number >= KEPT_MAX or lines > KEPT_ROWS_MAX) and row.state not in DUE:
                old.append(str(row.id))
    for name in old:
        with database.writing() as connection:
            connection.execute(sa.delete(import_row).where(_row.org_id == org_id, _row.import_id == name))
            connection.execute(sa.delete(import_job).where(_job.org_id == org_id, _job.id == name))
    orphan = sa.and_(
        _file.org_id == org_id,
        _file.created_at < clock(database) - ORPHAN_SECONDS * _SECOND,
        _file.digest.not_in(sa.select(_job.file).where(_job.org_id == org_id)),
    )
    with database.writing() as connection:
        connection.execute(sa.delete(import_file).where(orphan))
    return len(old)


__all__ = [
    "COUNTS", "DUE", "KEPT_MAX", "LEASE_SECONDS", "Job", "begin_taking_back", "claim", "due", "file_of", "forget_rows",
    "keep_file", "keep_rows", "keep_taken_back", "let_go", "prune", "renew", "rows_of", "rows_to_take_back", "said_of",
    "under_way",
]  # fmt: skip
