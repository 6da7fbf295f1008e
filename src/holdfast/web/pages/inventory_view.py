"""How an inventory entry and the overview figures are shown: numbers as text, shares as widths, times of the place.

    shown(entry, "Europe/Lisbon")     -> {"quantity": "1,250", "shape": Shape(reserved=12.5, ...), ...}

Nothing here adds up stock: each number is one that the server answered; only widths are derived from them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from holdfast.web.pages.inventory_filters import Filters
from holdfast.web.pages.layout import Store

Json = dict[str, Any]
Num = int | float

ROOM = 1.25
"""How far beyond the reorder line a bar reaches at least, so that the line stays inside."""


class Shape(NamedTuple):
    """A bar's parts in percent of its width."""

    reserved: float
    available_from: float
    available: float
    backordered_from: float
    backordered: float
    threshold: float | None


def number_text(number: Num) -> str:
    """A quantity with thousands apart: 12,480 or 0.25."""
    return f"{number:,}"


def shape_of(entry: Json) -> Shape:
    """The bar of an entry: reserved, available, then what is promised beyond the stock."""
    on_hand, reserved = entry["quantity"], entry["reserved_quantity"]
    backordered, line = entry["backordered_quantity"], entry["threshold"]
    full = max(on_hand + backordered, (line or 0) * ROOM) or 1
    return Shape(
        reserved=_percent(reserved, full),
        available_from=_percent(reserved, full),
        available=_percent(entry["available_quantity"], full),
        backordered_from=_percent(on_hand, full),
        backordered=_percent(backordered, full),
        threshold=None if not line else _percent(line, full),
    )


def shown(entry: Json, timezone: str, now: datetime | None = None) -> Json:
    """An entry as the templates show it."""
    texts = {
        "quantity": number_text(entry["quantity"]),
        "reserved": number_text(entry["reserved_quantity"]),
        "available": number_text(entry["available_quantity"]),
        "backordered": number_text(entry["backordered_quantity"]),
        "threshold": "none" if entry["threshold"] is None else number_text(entry["threshold"]),
        "title": entry["product_title"],
        "sku": entry["sku"],
        "location": entry["location"],
        "store": entry["store_name"],
    }
    held = (entry["quantity"], entry["reserved_quantity"], entry["backordered_quantity"])
    facts = {
        "id": entry["id"],
        "product_id": entry["product_id"],
        "store_id": entry["store_id"],
        "on_hand": entry["quantity"],
        "empty": not any(held),
        "texts": texts,
        "sellable": entry["sellable"],
    }
    return {
        **texts,
        "id": entry["id"],
        "product_id": entry["product_id"],
        "sellable": entry["sellable"],
        "is_low": entry["is_low_stock"],
        "is_out": entry["quantity"] == 0,
        "is_backordered": entry["backordered_quantity"] != 0,
        "shape": shape_of(entry),
        "words": _words(texts),
        "facts": msgspec.json.encode(facts).decode(),
        "updated_at": entry["updated_at"],
        **_times(entry["updated_at"], timezone, now),
    }


def figures(stats: Json, filters: Filters, store: Store | None) -> list[Json]:
    """The figures of what is shown, each with the address of exactly the entries that it counts.

    The one that narrows the list already leads back.
    """

    def figure(key: str, name: str, note: str, *, alarming: bool = False) -> Json:
        number = stats[key]
        on = filters.low_stock if key == "low" else filters.state == key
        changes: Json = {"state": None if on else key}
        if key == "low":
            changes = {"low_stock": not on, "threshold": "", "problem": ""}
        href = filters.href(store, **changes)
        text = number_text(number)
        return {"key": key, "name": name, "value": text, "note": note, "href": href, "on": on, "alarming": alarming}

    return [
        figure("on_hand", "On hand", "units"),
        figure("reserved", "Reserved", _part(_share(stats["reserved"], stats["on_hand"])) + " of on hand"),
        figure("available", "Available", _part(_share(stats["available"], stats["on_hand"])) + " of on hand"),
        figure("low", "Low stock", "entries", alarming=stats["low"] > 0),
        figure("out", "Out of stock", "entries"),
        figure("backordered", "Backordered", "units, not here yet"),
    ]


def heads(filters: Filters, store: Store | None) -> dict[str, Json]:
    """The heads of the columns by which the list can be sorted: where each leads, and how it stands now."""
    found = {}
    for name in ("title", "sku", "available", "changed"):
        # The fewest, and what has changed last, are looked for more often than the other ends.
        first, second = (f"-{name}", name) if name == "changed" else (name, f"-{name}")
        up = {name: "ascending", f"-{name}": "descending"}.get(filters.sort, "none")
        found[name] = {"href": filters.href(store, sort=second if filters.sort == first else first), "sorted": up}
    return found


def _share(part: Num, whole: Num) -> float:
    return _percent(part, whole) if whole else 0.0


def _percent(part: Num, whole: Num) -> float:
    return round(100 * part / whole, 2)


def _part(share: float) -> str:
    """A share in whole percent; a little is not nothing, and nearly all is not all."""
    if 0 < share < 1:
        return "under 1%"
    return "over 99%" if 99 < share < 100 else f"{share:.0f}%"


def _words(texts: dict[str, str]) -> str:
    """The bar in words, for those who do not see it."""
    words = f"{texts['reserved']} reserved, {texts['available']} available"
    if texts["backordered"] != "0":
        words += f", {texts['backordered']} backordered"
    return words if texts["threshold"] == "none" else f"{words}, reorder at {texts['threshold']}"


def _times(instant: str, timezone: str, now: datetime | None) -> Json:
    zone = ZoneInfo(timezone)
    at = datetime.fromisoformat(instant).astimezone(zone)
    today = (now or datetime.now(UTC)).astimezone(zone)
    if at.date() == today.date():
        text = f"{at:%H:%M}"
    else:
        text = f"{at.day} {at:%b}" if at.year == today.year else f"{at.day} {at:%b %Y}"
    return {"updated": text, "updated_full": f"{at:%Y-%m-%d %H:%M:%S} ({timezone})"}
