"""Reports: read-only answers about an organisation, shaped as they go outside (docs/reference/api.md).

    reports = Reports(Database("sqlite:///shop.db"))
    reports.levels(org_id, product="MUG-1", limit=50)   -> Page(items=[{"quantity": 7, ...}], next_cursor=None)
    reports.product(org_id, "MUG-1")                    -> {"sku": "MUG-1", "total_available": 7, ...}, or None

Every method takes the organisation first; what another organisation owns is None, or not in the list, like what does
not exist. A list filtered by something unknown is empty. Methods are synchronous and safe in any thread; each reads one
consistent view. Lists are newest first and go on with `next_cursor`. Where a filter is so sparse that finding a page
would mean reading the whole history, a page may be short, even empty, and still have a `next_cursor`: go on until it is
None. Cursors are opaque; one that was not given out is a `BadCursor`.

`stores` limits an answer to those stores (None: all), `now` is the instant that decides which holds and lots are dead
(microseconds since 1970; default: the clock): reads never show as promised or available what time has ended.
"""

from __future__ import annotations

from holdfast.db.queries.paging import LIMIT_MAX, BadCursor, Json, Page
from holdfast.reports.books import BookReports
from holdfast.reports.history import HistoryReports
from holdfast.reports.records import RecordReports
from holdfast.reports.sales import SaleReports
from holdfast.reports.stock import StockReports
from holdfast.reports.view import LIMIT_DEFAULT, Stores

__all__ = ["LIMIT_DEFAULT", "LIMIT_MAX", "BadCursor", "Json", "Page", "Reports", "Stores"]


class Reports(RecordReports, StockReports, SaleReports, BookReports, HistoryReports):
    """Read-only answers from a database; each part is in the module of its nouns."""
