"""What the list of sales is narrowed to, and how that stands in its address.

    filters = filters_of(request.query_params)          search=ana&status=suspended&source=pos&day=2031-01-31
    filters.sales(store, "Europe/Lisbon")               -> the SaleFilter of the reports
    filters.href(store, status=None)                    -> the address of the page with that one thing changed

What cannot be read is left out; a day that there is not is a `problem` in words.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, get_args
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams

from holdfast.core.records.status import SaleStatus
from holdfast.core.records.time import end_of_day
from holdfast.db.queries.sales import SaleFilter
from holdfast.web.http.strict_json import TEXT_MAX, unprintable
from holdfast.web.pages.layout import Store

PATH = "/admin/sales"

STATUSES: tuple[SaleStatus, ...] = get_args(SaleStatus)

STATUS_WORDS: dict[str, str] = {
    "suspended": "In the queue",
    "open": "Open",
    "completed": "Completed",
    "cancelled": "Cancelled",
}
"""The statuses in words, in the order in which they are offered: what waits for somebody comes first."""

YEAR_MIN = 1971
"""No sale was made before it."""


class Filters(msgspec.Struct, frozen=True):
    """What the list is narrowed to; `problem` says what of it could not be read."""

    search: str = ""
    status: SaleStatus | None = None
    source: str = ""
    day: str = ""
    problem: str = ""

    @property
    def any(self) -> bool:
        """Is anything narrowed?"""
        return bool(self.named())

    def named(self) -> dict[str, str]:
        """Each filter that is on, in words: by the name of its field in the form."""
        words = {
            "search": self.search,
            "status": STATUS_WORDS.get(self.status or "", ""),
            "source": f"from {self.source}",
            "day": f"made on {self.day}",
        }
        return {name: text for name, text in words.items() if getattr(self, name)}

    def sales(self, store: Store | None, timezone: str) -> SaleFilter:
        """The filter of the list: sales made here on the day, as the day is in the IANA `timezone`."""
        begins = ends = None
        if self.day and not self.problem:
            before = (date.fromisoformat(self.day) - timedelta(days=1)).isoformat()
            begins, ends = end_of_day(before, timezone), end_of_day(self.day, timezone)
        return SaleFilter(
            search=self.search or None,
            status=self.status,
            store=None if store is None else store.id,
            source=self.source or None,
            created_from=begins,
            created_to=ends,
        )

    def query(self, store: Store | None, **more: str) -> str:
        """The query string of these filters in a store; `more` of it as given."""
        pairs = {
            "search": self.search,
            "store": "" if store is None else store.code,
            "status": self.status or "",
            "source": self.source,
            "day": self.day,
            **more,
        }
        return urlencode({name: text for name, text in pairs.items() if text})

    def href(self, store: Store | None, **changes: Any) -> str:
        """The address of the page with these filters and changes."""
        query = msgspec.structs.replace(self, **changes).query(store)
        return f"{PATH}?{query}" if query else PATH


def filters_of(asked: QueryParams) -> Filters:
    """The filters of a query string, as a plain form sends it."""

    def text(name: str) -> str:
        value = asked.get(name, "").strip()
        return value if len(value) <= TEXT_MAX and not unprintable(value) else ""

    day = text("day")
    return Filters(
        search=text("search"),
        status=next((one for one in STATUSES if one == asked.get("status")), None),
        source=text("source"),
        day=day,
        problem="" if not day or _is_day(day) else f"{day!r} is no day: give one as 2031-01-31.",
    )


def _is_day(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return day.isoformat() == text and day.year >= YEAR_MIN
