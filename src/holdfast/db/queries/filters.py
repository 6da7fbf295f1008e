"""Filters: what a list or a figure is narrowed to. Each filter is one Struct, and it is written once (decision 0036).

    class SaleFilter(Filter):
        status: Annotated[SaleStatus | None, Meta(description="Only with this status.")] = None

    SaleFilter(status="open")      -> the query takes it, the reports take it, GET /sales?status=open is decoded into it

A field with a description is a parameter of the query string: its type says how the text is read, the description is
what the API reference says of it. A field without a description is for programs only. A filter says nothing of who
asks, nor how much of the list is wanted: that is a `Part` (`paging`).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.core.records.number import Number


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What all filters are."""


class Everything(Filter, frozen=True, kw_only=True):
    """The filter of a list that cannot be narrowed."""


EVERYTHING = Everything()

Instant = Annotated[int, Meta(extra={"query": "instant"})]
"""An instant in microseconds since 1970; in a query string ISO 8601 with its offset."""

Day = Annotated[str, Meta(extra={"query": "day"})]
"""A day (YYYY-MM-DD)."""

DayOrInstant = Annotated[str | int, Meta(extra={"query": "moment"})]
"""A day (YYYY-MM-DD), or an instant in microseconds; in a query string a day, or ISO 8601 with its offset."""

Threshold = Annotated[Number, Meta(extra={"query": "number"})]
"""A number of whole units, 0 or more."""

LowStock = Annotated[bool | Number, Meta(extra={"query": "threshold"})]
"""True: at or below the threshold of each entry. A number: at or below it. False: whatever there is."""

PRODUCT = Meta(description="Only of this product (id or SKU).")
LOCATION = Meta(description="Only at this location (code).")
STATUS = Meta(description="Only with this status.")
SOURCE = Meta(description="Only of this source.")
OF_SALE = Meta(description="Only of this sale.")
SORT = Meta(description="Sorted by this instead of the newest first; a minus in front turns it round.")
SEARCH = Meta(description="Only where each of these words, in any order, is part of the title, SKU or GTIN.")
NOT_BEFORE = Meta(description="Not before this instant.")
BEFORE = Meta(description="Before this instant.")
