"""Imports and their rows as they go outside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.organisation.imports import ImportJob, ImportKind, ImportState
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.time import instant_text
from holdfast.db.queries.filters import Filter
from holdfast.db.queries.paging import (
    Found,
    Json,
    Page,
    Part,
    Stores,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    id_of_cursor,
    newest,
    page_of,
)
from holdfast.db.schema import import_job, import_row

RowState = Literal["added", "changed", "unchanged", "refused", "note"]

_job, _row = import_job.c, import_row.c
_COUNTS = ("added", "changed", "unchanged", "refused", "waiting", "unmapped", "taken_back", "kept")


class ImportFilter(Filter, frozen=True, kw_only=True):
    """Which imports."""

    kind: Annotated[ImportKind | None, Meta(description="Only of files of this kind.")] = None
    state: Annotated[ImportState | None, Meta(description="Only in this state.")] = None


class RowFilter(Filter, frozen=True, kw_only=True):
    """Which rows of an import."""

    state: Annotated[RowState | None, Meta(description="Only rows of which this became.")] = None
    back: Annotated[
        Literal["taken_back", "kept"] | None, Meta(description="Only rows of which this came when it was taken back.")
    ] = None


def import_fields(job: ImportJob) -> Json:
    """An import that a command has begun, before anything is known of its rows."""
    return _fields({name: getattr(job, name) for name in ImportJob.__struct_fields__})


def _fields(row: Any) -> Json:
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "dry_run": bool(row["dry_run"]),
        "name": row["name"],
        "state": row["state"],
        "rows": row["lines"],
        "rows_done": row.get("done", 0),
        **{name: row.get(name, 0) for name in _COUNTS},
        "detail": row.get("detail"),
        "actor": row["actor"],
        "stores": list(row["stores"]),
        "created_at": instant_text(row["created_at"]),
        "updated_at": instant_text(row["updated_at"]),
        "started_at": _instant(row.get("started_at")),
        "finished_at": _instant(row.get("finished_at")),
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else instant_text(at)


def _seen(row: Any, stores: Stores) -> bool:
    """Whoever is limited to stores sees the imports that were limited to some of these."""
    return stores is None or (bool(row["stores"]) and set(stores).issuperset(row["stores"]))


def listed(connection: sa.Connection, catalog: Catalog, filters: ImportFilter, part: Part) -> Page:
    """A page of imports."""
    where = []
    if filters.kind is not None:
        where.append(_job.kind == filters.kind)
    if filters.state is not None:
        where.append(_job.state == filters.state)
    limit = bounded(part.limit)
    shown: list[Any] = []
    before = id_of_cursor(part.cursor)
    while len(shown) <= limit:  # an organisation keeps few of them
        found = newest(
            connection,
            import_job,
            tuple(import_job.c),
            catalog.settings.id,
            where,
            before=before,
            limit=limit,
            scan=None,
        )
        shown += [row for row in found.rows if _seen(row._mapping, part.stores)]
        if len(found.rows) <= limit:
            break
        before = str(found.rows[-1].id)
    rows = Found(shown[: limit + 1])
    return page_of(
        rows, limit, lambda rows: [_fields(row._mapping) for row in rows], lambda row: encode_cursor(str(row.id))
    )


def one(connection: sa.Connection, catalog: Catalog, import_id: str, *, stores: Stores = None) -> Json | None:
    """An import."""
    name = as_id(import_id)
    if name is None:
        return None
    asked = sa.select(import_job).where(_job.org_id == catalog.settings.id, _job.id == name)
    row = connection.execute(asked).mappings().first()
    return None if row is None or not _seen(row, stores) else _fields(row)


def rows(
    connection: sa.Connection, catalog: Catalog, import_id: str, filters: RowFilter, *, cursor: str | None, limit: int
) -> Page:
    """A page of the rows of an import, in the order in which they were done."""
    where = [_row.org_id == catalog.settings.id, _row.import_id == import_id]
    if cursor is not None:
        where.append(_row.position > decode_cursor(cursor, int)[0])
    if filters.state is not None:
        where.append(_row.state == filters.state)
    if filters.back is not None:
        where.append(_row.back == filters.back)
    limit = bounded(limit)
    found = connection.execute(sa.select(import_row).where(*where).order_by(_row.position).limit(limit + 1)).all()
    return page_of(
        Found(found),
        limit,
        lambda rows: [row_fields(row._mapping) for row in rows],
        lambda row: encode_cursor(row.position),
    )


def row_fields(row: Any) -> Json:
    """A row of an import."""
    return {
        "row": row["line"],
        "last_row": row["last_line"],
        "state": row["state"],
        "subject": row["subject"] or None,
        "field": row["field"],
        "detail": row["detail"],
        "made": row["made"],
        "changes": {name: {"old": old, "new": new} for name, (old, new) in row["changes"].items()},
        "waiting": row["waiting"],
        "unmapped": row["unmapped"],
        "back": row["back"],
        "reason": row["reason"],
    }
