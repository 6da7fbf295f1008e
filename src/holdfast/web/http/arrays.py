"""Arrays: the few reads that answer a bare JSON array, in parts where somebody asks for parts.

    GET /api/v1/admin/inventory/low-stock?limit=100   -> 100 entries, and the header
    Link: </api/v1/admin/inventory/low-stock?limit=100&cursor=...>; rel="next"

Such a route answers a `Page`; its items are the body, and the header says where the array goes on. Without the header
the array is complete: none is cut in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from holdfast.db.queries.paging import decode_cursor, encode_cursor
from holdfast.reports import LIMIT_MAX, Json, Page
from holdfast.web.http.query_string import CURSOR, Parameter
from holdfast.web.http.route import Call

ARRAY_MAX = 10_000
"""Rows that an array has at most when nobody says a limit; the header says when there are more."""

PARTS = (
    Parameter("limit", f"How many items at most, 1 to {LIMIT_MAX}; {ARRAY_MAX:,} by default.", "limit"),
    CURSOR,
)
"""The query parameters of an array."""


def parts_of(call: Call) -> dict[str, Any]:
    """`cursor` and `limit` of an array's call."""
    return {"cursor": call.query.get("cursor"), "limit": call.query.get("limit", ARRAY_MAX)}


def part_of(rows: list[Json], key: Callable[[Json], str], call: Call) -> Page:
    """The part of the rows that a call asks for; they go on after the row whose key is in the cursor."""
    rows = sorted(rows, key=key)
    cursor, limit = call.query.get("cursor"), call.query.get("limit", ARRAY_MAX)
    if cursor is not None:
        last = decode_cursor(cursor, str)[0]
        rows = [row for row in rows if key(row) > last]
    return Page(rows[:limit], encode_cursor(key(rows[limit - 1])) if len(rows) > limit else None)


def said(page: Page, path: str, query_string: bytes) -> tuple[list[Json], list[tuple[bytes, bytes]]]:
    """The array of a page, and the header that says where it goes on, if it does."""
    if page.next_cursor is None:
        return page.items, []
    pairs = [(name, value) for name, value in parse_qsl(query_string.decode("ascii")) if name != "cursor"]
    query = urlencode([*pairs, ("cursor", page.next_cursor)])
    return page.items, [(b"link", f'<{quote(path)}?{query}>; rel="next"'.encode("ascii"))]
