"""What the inventory page is narrowed to, and how that stands in its address.

    filters = filters_of(request.query_params)          search=mug&location=MAIN&state=reserved&sort=-available
    filters.levels(store_id)                            -> the LevelFilter of the reports
    filters.href(store, state="out")                    -> the address of the page with that one thing changed

What cannot be read is left out; a threshold that is no number is a `problem` in words.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, get_args
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams

from holdfast.core.records.number import Number
from holdfast.reports import LevelFilter, LevelSort, LevelState
from holdfast.web.http.strict_json import TEXT_MAX, unprintable
from holdfast.web.pages.layout import Store

PATH = "/admin/inventory"
ORDER: LevelSort = "title"
"""The order of who has chosen none."""

SORTS: tuple[LevelSort, ...] = get_args(LevelSort)
STATES: tuple[LevelState, ...] = get_args(LevelState)

ORDERS = (
    ("", "By title"),
    ("-title", "By title, backwards"),
    ("sku", "By SKU"),
    ("-sku", "By SKU, backwards"),
    ("available", "Fewest available first"),
    ("-available", "Most available first"),
    ("-changed", "Changed last first"),
    ("changed", "Changed last at the end"),
)
"""The orders as the form offers them."""

STATE_WORDS = {
    "on_hand": "with units on hand",
    "reserved": "with reserved units",
    "available": "with available units",
    "backordered": "with backordered units",
    "out": "out of stock",
}

_NUMBER = re.compile(r"\d{1,13}(\.\d{1,4})?")


class Filters(msgspec.Struct, frozen=True):
    """What the page is narrowed to, and its order; `problem` says what of it could not be read."""

    search: str = ""
    location: str = ""
    state: LevelState | None = None
    low_stock: bool = False
    threshold: str = ""
    sort: LevelSort = ORDER
    problem: str = ""

    @property
    def any(self) -> bool:
        """Is anything narrowed?"""
        return bool(self.named())

    @property
    def limit(self) -> Number | None:
        """The threshold as a number of whole units; None: the reorder level of each entry."""
        if not self.threshold or self.problem:
            return None
        return Decimal(self.threshold) if "." in self.threshold else int(self.threshold)

    def named(self) -> dict[str, str]:
        """Each filter that is on, in words: by the name of its field in the form."""
        words = {
            "search": self.search,
            "location": f"at {self.location}",
            "state": STATE_WORDS.get(self.state or "", ""),
            "low_stock": f"at or below {self.threshold}" if self.threshold else "low stock",
        }
        return {name: text for name, text in words.items() if getattr(self, name)}

    def without(self, name: str) -> Filters:
        """The same without one filter."""
        changes: dict[str, Any] = {name: None if name == "state" else False if name == "low_stock" else ""}
        if name == "low_stock":
            changes |= {"threshold": "", "problem": ""}
        return msgspec.structs.replace(self, **changes)

    def levels(self, store: Store | None) -> LevelFilter:
        """The filter of the list. Only where goods are sold, unless a location is named: what lies in quarantine or is
        on the road is told beside the product."""
        return LevelFilter(
            search=self.search or None,
            store=None if store is None else store.id,
            location=self.location or None,
            state=self.state,
            low_stock=self.low_stock if self.limit is None else self.limit,
            sellable=None if self.location else True,
        )

    def query(self, store: Store | None, **more: str) -> str:
        """The query string of these filters in a store; `more` of it as given."""
        pairs = {
            "search": self.search,
            "store": "" if store is None else store.code,
            "location": self.location,
            "state": self.state or "",
            "low_stock": "true" if self.low_stock else "",
            "threshold": self.threshold,
            "sort": "" if self.sort == ORDER else self.sort,
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
        value = next((one.strip() for one in asked.getlist(name) if one.strip()), "")
        return value if len(value) <= TEXT_MAX and not unprintable(value) else ""

    problem, threshold = "", text("threshold")
    if threshold and not _NUMBER.fullmatch(threshold):
        problem = f"{threshold!r} is no threshold: give a number of 0 or more, with at most 4 decimal places."
    return Filters(
        search=text("search"),
        location=text("location").upper(),
        state=next((one for one in STATES if one == asked.get("state")), None),
        low_stock=asked.get("low_stock", "") in ("true", "on", "1") or bool(threshold),
        threshold=threshold,
        sort=next((one for one in SORTS if one == asked.get("sort")), ORDER),
        problem=problem,
    )
