"""The inventory list as a file: what the filters show, or the entries that were chosen, as CSV.

    GET /admin/inventory.csv?search=mug&sort=-available       the rows of the page with these filters, all of them
    GET /admin/inventory.csv?level=...&level=...              these entries, at most 200

Rows are read page by page while they are sent, so a file of any length takes no memory. No text in it is run as a
formula by a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from holdfast.access import Permission
from holdfast.import_export.table import guarded
from holdfast.reports import LIMIT_MAX, Reports
from holdfast.web.pages.inventory_filters import Filters, filters_of
from holdfast.web.pages.inventory_view import Json
from holdfast.web.pages.layout import HEADERS, Visitor
from holdfast.web.pages.page_access import page

CHOSEN_MAX = LIMIT_MAX
"""Most entries that are asked for one by one."""

COLUMNS = {
    "sku": "sku",
    "product_title": "title",
    "gtin": "gtin",
    "location": "location",
    "store_name": "store",
    "quantity": "on_hand",
    "reserved_quantity": "reserved",
    "available_quantity": "available",
    "backordered_quantity": "backordered",
    "threshold": "reorder_point",
    "updated_at": "changed_at",
}
"""The fields of an entry that are written, and what their columns are called."""


@page(Permission.MANAGE, by_store=True)
async def show(request: Request, visitor: Visitor) -> Response:
    """The file."""
    reports, asked = request.app.state.application.shop.reports, request.query_params
    levels = asked.getlist("level")[:CHOSEN_MAX]
    rows = _chosen(reports, visitor, levels) if levels else _filtered(reports, visitor, filters_of(asked))
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="inventory.csv"'}
    return StreamingResponse(_lines(rows), media_type="text/csv; charset=utf-8", headers=headers)


def _filtered(reports: Reports, visitor: Visitor, filters: Filters) -> Iterator[Json]:
    levels = msgspec.structs.replace(filters.levels(visitor.store), sort=filters.sort)
    cursor: str | None = None
    while True:
        part = reports.levels(visitor.actor.org_id, levels, stores=visitor.stores, cursor=cursor, limit=LIMIT_MAX)
        yield from part.items
        cursor = part.next_cursor
        if cursor is None:
            return


def _chosen(reports: Reports, visitor: Visitor, levels: list[str]) -> Iterator[Json]:
    for level_id in levels:
        entry = reports.level(visitor.actor.org_id, level_id, stores=visitor.stores)
        if entry is not None:
            yield entry


def _lines(rows: Iterable[Json]) -> Iterator[str]:
    """The file, a line at a time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS.values())
    yield text.getvalue()
    for row in rows:
        text.seek(0)
        text.truncate()
        writer.writerow([guarded(cell) if isinstance(cell := row[name], str) else cell for name in COLUMNS])
        yield text.getvalue()
