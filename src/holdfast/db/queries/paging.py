"""Pages of lists: opaque cursors, and scans that are bounded however sparse a filter is.

    page_of(rows, 50, row_cursor)     -> the first 50 and the cursor to go on with

A list goes on where its cursor says (a key, never a count), so rows that are added meanwhile neither repeat nor hide
others. A cursor that was not given out is a `BadCursor`.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from holdfast.core.records.learned_type import learned
from holdfast.db import schema

Json = dict[str, Any]

LIMIT_MAX = 200
"""Most items of a page."""

LIMIT_DEFAULT = 50
"""Items of a page when nobody says."""

Stores = Collection[str] | None
"""The stores that an answer is limited to; None: all."""

NO_ID = "00000000-0000-0000-0000-000000000000"
"""Below every id."""

_decode = msgspec.json.Decoder(learned(list[str | int])).decode

SCAN_MAX = 8_000
"""Most rows of a history that one page looks at when a filter has no index of its own."""


PAGE_BYTES_MAX = 2 * 1024 * 1024
"""A page of what has any number of lines ends, with a cursor, with the item that takes its JSON to so many bytes."""

PIECE = 10
"""So many items of such a page are read at once: no more of them are read in vain."""


class BadCursor(ValueError):
    """The cursor is not one that this list gave out."""


class Page(msgspec.Struct, frozen=True, gc=False):
    """One page of a list; `next_cursor` is None at its end."""

    items: list[Json]
    next_cursor: str | None


EMPTY = Page([], None)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list somebody is shown: of which stores, from where on, how much of it, and as of which instant.

    `now` decides which holds and lots have expired; lists that show neither do not look at it.
    """

    now: int
    stores: Stores = None
    cursor: str | None = None
    limit: int = LIMIT_DEFAULT


def encode_cursor(*key: str | int) -> str:
    """The opaque text of a key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def key_of_cursor(cursor: str) -> list[str | int]:
    """The parts of a cursor's key, whatever they are; BadCursor when it is none."""
    try:
        return msgspec.json.decode(
            base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="), type=learned(list[str | int])
        )
    except (ValueError, binascii.Error):
        raise BadCursor(f"{cursor[:40]!r} is not a cursor of this list.") from None


def decode_cursor(cursor: str, *types: type) -> tuple[Any, ...]:
    """The key of a cursor whose parts have those types (`uuid.UUID` for ids); BadCursor when it is not one."""
    key = key_of_cursor(cursor)
    fits = len(key) == len(types) and all(
        as_id(part) == part if kind is uuid.UUID else isinstance(part, kind)
        for part, kind in zip(key, types, strict=True)
    )
    if not fits or any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in key):
        raise BadCursor(f"{cursor[:40]!r} is not a cursor of this list.")
    return tuple(key)


def id_of_cursor(cursor: str | None) -> str | None:
    """The id after which a list by id goes on."""
    if cursor is None:
        return None
    last: str = decode_cursor(cursor, uuid.UUID)[0]
    return last


def as_id(text: object) -> str | None:
    """The text as an id, in the one spelling that the database has; None when it cannot be one."""
    if not isinstance(text, str) or len(text) != 36:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def bounded(limit: int) -> int:
    """The limit within 1 and LIMIT_MAX."""
    return max(1, min(limit, LIMIT_MAX))


def not_walked(connection: sa.Connection, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The column, to sort or group by it without walking along an index that has it.

    Without statistics SQLite would rather read all of an organisation in order than sort the few rows that another
    index finds; a plus sign forbids that.
    """
    if connection.dialect.name != "sqlite":
        return column
    assert isinstance(column, sa.Column)
    return sa.literal_column(f"+{column.table.name}.{column.name}", column.type)


class Found(NamedTuple):
    """Rows of a list, newest first; when `floor` is set the scan ended there and older rows were not looked at."""

    rows: Sequence[Any]
    floor: str | None = None


def newest(
    connection: sa.Connection,
    table: sa.Table,
    columns: Sequence[sa.ColumnElement[Any]],
    org_id: str,
    conditions: Sequence[sa.ColumnElement[bool]],
    *,
    before: str | None,
    limit: int,
    scan: int | None = SCAN_MAX,
    indexed: bool = False,
) -> Found:
    """`limit` + 1 rows by id, newest first, with an id below `before`.

    At most `scan` rows are looked at; None: however many it takes. With `indexed` the conditions have an index of their
    own, which is used instead of walking along the ids.
    """
    own = [table.c.org_id == org_id]
    name = not_walked(connection, table.c.id) if indexed else table.c.id
    if before is not None:
        own.append(name < before)
    floor = None
    if scan is not None and conditions and not indexed:
        end = sa.select(table.c.id).where(*own).order_by(table.c.id.desc()).offset(scan - 1).limit(1)
        floor = connection.execute(end).scalar()
        if floor is not None:
            own.append(table.c.id >= floor)
    query = sa.select(*columns).where(*own, *conditions).order_by(name.desc()).limit(limit + 1)
    return Found(connection.execute(query).all(), floor)


def page_of(
    found: Found,
    limit: int,
    describe: Callable[[Sequence[Any]], list[Json]],
    cursor_of: Callable[[Any], str] = lambda row: encode_cursor(row.id),
) -> Page:
    """The page of `limit` rows, described, with the cursor to go on: the last row's, or where the scan ended."""
    rows = found.rows[:limit]
    if len(found.rows) > limit:
        return Page(describe(rows), cursor_of(rows[-1]))
    return Page(describe(rows), None if found.floor is None else encode_cursor(found.floor))


def page_in_pieces(
    keys: Found,
    limit: int,
    describe: Callable[[Sequence[str]], list[Json]],
    cursor_of: Callable[[Any], str] = lambda row: encode_cursor(row.id),
) -> Page:
    """The page of `limit` items of whose size nothing is known: it ends early where they have PAGE_BYTES_MAX together.

    `keys` are rows with their ids; `describe` reads the items of some ids, in their order.
    """
    shown = keys.rows[:limit]
    items: list[Json] = []
    size = 0
    for start in range(0, len(shown), PIECE):
        for item in describe([str(row.id) for row in shown[start : start + PIECE]]):
            items.append(item)
            size += len(msgspec.json.encode(item))
            if size >= PAGE_BYTES_MAX and len(items) < len(keys.rows):
                return Page(items, cursor_of(shown[len(items) - 1]))
    if len(keys.rows) > limit:
        return Page(items, cursor_of(shown[-1]))
    return Page(items, None if keys.floor is None else encode_cursor(keys.floor))


def in_order(found: Iterable[Any], ids: Sequence[str]) -> list[Any]:
    """The rows or structs with these ids, in the order of the ids."""
    known = {str(one.id): one for one in found}
    return [known[name] for name in ids]


def among(connection: sa.Connection, column: sa.ColumnElement[Any], ids: Collection[str]) -> sa.ColumnElement[bool]:
    """The condition that the column is one of the ids, as one parameter: a thousand of their own take longer to write
    into the statement than to look up."""
    if connection.dialect.name == "sqlite":
        each = sa.func.json_each(msgspec.json.encode(sorted(ids)).decode()).table_valued("value")
        return column.in_(sa.select(each.c.value))
    return column == sa.any_(sa.cast(sa.literal(sorted(ids), ARRAY(sa.Text)), ARRAY(schema.Id)))


def pieces(values: Sequence[str], size: int = 5_000) -> list[Sequence[str]]:
    """The values in pieces that fit into the parameters of one statement."""
    return [values[start : start + size] for start in range(0, len(values), size)]
