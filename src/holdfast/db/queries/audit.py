"""The audit: the log of what is not stock and the ledger of what is, in one list, newest first.

See docs/reference/ledger.md.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.organisation.changes import Audit
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.ledger import Entry
from holdfast.core.records.time import instant_text
from holdfast.db import schema
from holdfast.db.queries import ledger
from holdfast.db.queries.catalog import columns_of, read_records
from holdfast.db.queries.filters import BEFORE, NOT_BEFORE, Filter, Instant
from holdfast.db.queries.paging import Found, Json, Page, Part, as_id, bounded, encode_cursor, id_of_cursor, newest

STOCK = "stock"
"""The kind under which ledger entries appear."""


class AuditFilter(Filter, frozen=True, kw_only=True):
    """Which lines; of a ledger entry `action` is its ref_type, `record_id` its level."""

    actor: Annotated[str | None, Meta(description="Only by this actor.")] = None
    kind: Annotated[str | None, Meta(description="Only of this kind of record; `stock` is the ledger.")] = None
    action: Annotated[str | None, Meta(description="Only this action.")] = None
    record_id: Annotated[str | None, Meta(description="Only of this record.")] = None
    address: Annotated[str | None, Meta(description="Only from this client address; the ledger knows none.")] = None
    from_: Annotated[Instant | None, NOT_BEFORE] = msgspec.field(default=None, name="from")
    to: Annotated[Instant | None, BEFORE] = None


def listed(connection: sa.Connection, catalog: Catalog, filters: AuditFilter, part: Part) -> Page:
    """A page of the audit log and the stock ledger, merged by id:
    `{id, actor, action, kind, record_id, changes, created_at, ...}`.

    A line of the ledger has kind `stock`, its `ref_type` as action, the level's id, and the entry as changes.
    """
    limit, before = bounded(part.limit), id_of_cursor(part.cursor)
    stockless = filters.kind not in (None, STOCK) or filters.address is not None
    log = Found([]) if filters.kind == STOCK else _found(connection, catalog, schema.audit, filters, before, limit)
    stock = Found([]) if stockless else _found(connection, catalog, schema.ledger, filters, before, limit)
    # Below the higher floor one of the two was not looked at.
    floor = max(
        (found.floor for found in (log, stock) if found.floor is not None and len(found.rows) <= limit), default=""
    )
    merged = sorted([*log.rows, *stock.rows], key=lambda row: str(row.id), reverse=True)
    sure = [row for row in merged if row.id >= floor]
    chosen = sure[:limit]
    entries = ledger.read([row for row in chosen if "seq" in row._mapping])
    described = {entry["id"]: entry for entry in ledger.describe(connection, catalog, entries)}
    of_entry = {entry.id: entry for entry in entries}
    items = [
        _entry(of_entry[row.id], described[row.id])
        if row.id in of_entry
        else _line(read_records(schema.audit, Audit, [row])[0])
        for row in chosen
    ]
    if len(sure) > limit:
        return Page(items, encode_cursor(chosen[-1].id))
    return Page(items, encode_cursor(floor) if floor else None)


def _found(
    connection: sa.Connection, catalog: Catalog, table: sa.Table, filters: AuditFilter, before: str | None, limit: int
) -> Found:
    names = {"action": "ref_type", "record_id": "level_id"} if table is schema.ledger else {}
    where: list[sa.ColumnElement[bool]] = []
    for name, value in (("actor", filters.actor), ("action", filters.action), ("record_id", filters.record_id)):
        if value is not None:
            if names.get(name) == "level_id" and as_id(value) is None:
                return Found([])
            where.append(table.c[names.get(name, name)] == value)
    if table is schema.audit and filters.kind is not None:
        where.append(table.c.kind == filters.kind)
    if table is schema.audit and filters.address is not None:
        where.append(table.c.address == filters.address)
    if filters.from_ is not None:
        where += [table.c.created_at >= filters.from_, table.c.id >= ledger.id_floor(filters.from_ - ledger.SKEW)]
    if filters.to is not None:
        where.append(table.c.created_at < filters.to)
        latest = ledger.id_floor(filters.to + ledger.SKEW)
        before = latest if before is None else min(before, latest)
    struct = Entry if table is schema.ledger else Audit
    found = newest(connection, table, columns_of(table, struct), catalog.settings.id, where, before=before, limit=limit)
    if (
        filters.from_ is not None
        and found.floor is not None
        and found.floor < ledger.id_floor(filters.from_ - ledger.SKEW)
    ):
        return found._replace(floor=None)
    return found


def _line(line: Audit) -> Json:
    return {
        "id": line.id,
        "actor": line.actor,
        "action": line.action,
        "kind": line.kind,
        "record_id": line.record_id,
        "changes": line.changes,
        "created_at": instant_text(line.created_at),
        "address": line.address,
        "request_id": line.request_id,
    }


def _entry(entry: Entry, fields: Json) -> Json:
    return {
        "id": entry.id,
        "actor": entry.actor,
        "action": entry.ref_type,
        "kind": STOCK,
        "record_id": entry.level_id,
        "changes": fields,
        "created_at": instant_text(entry.created_at),
        "address": None,
        "request_id": None,
    }
