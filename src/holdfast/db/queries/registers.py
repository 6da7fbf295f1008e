"""Registers and their sessions as they go outside: the X report of an open drawer, the Z reports of closed ones.

A removed register is found by its id only, so that its reports stay readable. Sessions are listed by their number,
newest first. A register says whether its drawer is open, since when and by whom, and nothing of the cash in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Register
from holdfast.core.records.product import folded
from holdfast.core.records.status import OPEN
from holdfast.core.records.time import instant_text
from holdfast.core.sales.register import RegisterSession, register_fields, session_document
from holdfast.db import schema
from holdfast.db.batch.rows import read_row, row_type
from holdfast.db.queries.catalog import columns_of, read_records, records
from holdfast.db.queries.filters import Everything
from holdfast.db.queries.paging import (
    LIMIT_DEFAULT,
    Found,
    Json,
    Page,
    Part,
    among,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    id_of_cursor,
    newest,
    page_of,
)

_REGISTER, _SESSION = schema.register, schema.register_session
_COLUMNS = [_SESSION.c[name] for name in row_type(RegisterSession).columns]


def listed(connection: sa.Connection, catalog: Catalog, _: Everything, part: Part) -> Page:
    """A page of active registers: `{id, store_id, code, name, active, open_since, opened_by, ...}`."""
    where: list[sa.ColumnElement[bool]] = [_REGISTER.c.active]
    if part.stores is not None:
        where.append(among(connection, _REGISTER.c.store_id, part.stores))
    found = newest(
        connection,
        _REGISTER,
        columns_of(_REGISTER, Register),
        catalog.settings.id,
        where,
        before=id_of_cursor(part.cursor),
        limit=bounded(part.limit),
    )
    return page_of(
        found,
        bounded(part.limit),
        lambda rows: _seen(connection, catalog.settings.id, read_records(_REGISTER, Register, rows)),
    )


def one(connection: sa.Connection, catalog: Catalog, ref: str) -> Json | None:
    """A register by id (also a removed one) or by the code (any case) of an active one."""
    name = as_id(ref)
    match = _REGISTER.c.id == name if name is not None else sa.and_(_REGISTER.c.code == folded(ref), _REGISTER.c.active)
    found = records(connection, _REGISTER, Register, _REGISTER.c.org_id == catalog.settings.id, match)
    return _seen(connection, catalog.settings.id, found)[0] if found else None


def shown_register(register: Register) -> Json:
    """A register with its quick keys."""
    return {**register_fields(register), "quick_keys": msgspec.to_builtins(register.quick_keys or ())}


def _seen(connection: sa.Connection, org_id: str, registers: Sequence[Register]) -> list[Json]:
    """Registers with who has them open, and since when; null where the drawer is closed."""
    opened = _opened(connection, org_id, [register.id for register in registers]) if registers else {}
    shown = []
    for register in registers:
        since, who = opened.get(register.id, (None, None))
        open_since = None if since is None else instant_text(since)
        shown.append({**shown_register(register), "open_since": open_since, "opened_by": who})
    return shown


def _opened(connection: sa.Connection, org_id: str, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """When and by whom the open ones of these registers were opened, by register.

    An open session is the last one of its register: each is found by its number, however many there were before.
    """
    earlier = _SESSION.alias("earlier")
    last = (
        sa.select(sa.func.max(earlier.c.number))
        .where(earlier.c.org_id == org_id, earlier.c.register_id == _REGISTER.c.id)
        .scalar_subquery()
    )
    joined = _REGISTER.join(
        _SESSION,
        sa.and_(_SESSION.c.org_id == org_id, _SESSION.c.register_id == _REGISTER.c.id, _SESSION.c.number == last),
    )
    query = sa.select(_REGISTER.c.id, _SESSION.c.opened_at, _SESSION.c.opened_by).select_from(joined)
    where = (_REGISTER.c.org_id == org_id, among(connection, _REGISTER.c.id, ids), _SESSION.c.status == OPEN)
    return {row.id: (row.opened_at, row.opened_by) for row in connection.execute(query.where(*where))}


def sessions(
    connection: sa.Connection,
    catalog: Catalog,
    register_id: str,
    *,
    may_see_cash: bool = True,
    cursor: str | None = None,
    limit: int = LIMIT_DEFAULT,
) -> Page:
    """The sessions of a register; what should be in an open drawer only with `may_see_cash`."""
    query = sa.select(*_COLUMNS).where(_SESSION.c.org_id == catalog.settings.id, _SESSION.c.register_id == register_id)
    if cursor is not None:
        query = query.where(_SESSION.c.number < decode_cursor(cursor, int)[0])
    rows = connection.execute(query.order_by(_SESSION.c.number.desc()).limit(bounded(limit) + 1)).all()

    def describe(part: Sequence[Any]) -> list[Json]:
        return [_described(catalog, row, may_see_cash) for row in part]

    return page_of(Found(rows), bounded(limit), describe, lambda row: encode_cursor(row.number))


def session_of_number(
    connection: sa.Connection, catalog: Catalog, register_id: str, number: int, *, may_see_cash: bool = True
) -> Json | None:
    """A session of a register by its number: the Z report when it is closed."""
    return _session(
        connection, catalog, may_see_cash, _SESSION.c.register_id == register_id, _SESSION.c.number == number
    )


def session(connection: sa.Connection, catalog: Catalog, session_id: str, *, may_see_cash: bool = True) -> Json | None:
    """A register session by its id."""
    return _session(connection, catalog, may_see_cash, _SESSION.c.id == session_id)


def _session(
    connection: sa.Connection, catalog: Catalog, may_see_cash: bool, *where: sa.ColumnElement[bool]
) -> Json | None:
    row = connection.execute(sa.select(*_COLUMNS).where(_SESSION.c.org_id == catalog.settings.id, *where)).first()
    return None if row is None else _described(catalog, row, may_see_cash)


def _described(catalog: Catalog, row: Sequence[Any], may_see_cash: bool) -> Json:
    document = session_document(
        read_row(RegisterSession, row), catalog.settings.minor_digits, may_see_cash=may_see_cash
    )
    fields: Json = msgspec.to_builtins(document)
    return fields
