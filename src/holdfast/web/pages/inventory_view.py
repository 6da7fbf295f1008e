"""How an inventory entry and the overview figures are shown: numbers as text, shares as widths, times of the place.

    shown(entry, "Europe/Lisbon")     -> {"quantity": "1,250", "shape": Shape(reserved=12.5, ...), ...}

Nothing here adds up stock: each number is one that the server answered; only widths are derived from them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

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
    }
    return {
        **texts,
        "id": entry["id"],
        "product_id": entry["product_id"],
        "is_low": entry["is_low_stock"],
        "is_out": entry["quantity"] == 0,
        "is_backordered": entry["backordered_quantity"] != 0,
        "shape": shape_of(entry),
        "words": _words(texts),
        "facts": msgspec.json.encode(facts).decode(),
        "updated_at": entry["updated_at"],
        **_times(entry["updated_at"], timezone, now),
    }


def figures(stats: Json) -> list[Json]:
    """The overview as the templates show it, from the API's stats."""
    on_hand, entries = stats["total_quantity"], stats["total_entries"]
    reserved, available, low = stats["total_reserved"], stats["total_available"], stats["low_stock_count"]
    where = f"{_count(stats['unique_locations'], 'location')}, {_count(stats['stores_with_inventory'], 'store')}"
    rows = [
        _figure("entries", "Entries", entries, "products by location"),
        _figure("on-hand", "Units on hand", on_hand, where),
        _figure("reserved", "Reserved", reserved, "of on hand", _share(reserved, on_hand)),
        _figure("available", "Available", available, "of on hand", _share(available, on_hand)),
        _figure("low", "Low stock", low, "of entries", _share(low, entries), alarming=low > 0),
    ]
    backordered = stats.get("total_backordered")
    if backordered is not None:
        rows.append(_figure("backordered", "Backordered", backordered, "promised, not here yet"))
    return rows


def _figure(key: str, name: str, raw: Num, note: str, share: float | None = None, *, alarming: bool = False) -> Json:
    return {
        "key": key,
        "name": name,
        "raw": raw,
        "value": number_text(raw),
        "note": note if share is None else f"{_part(share)} {note}",
        "share": share,
        "alarming": alarming,
    }


def _count(number: int, noun: str) -> str:
    return f"{number_text(number)} {noun}{'' if number == 1 else 's'}"


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
        text = f"{at:%H:%M:%S}"
    else:
        text = f"{at.day} {at:%b}" if at.year == today.year else f"{at.day} {at:%b %Y}"
    return {"updated": text, "updated_full": f"{at:%Y-%m-%d %H:%M:%S} ({timezone})"}
