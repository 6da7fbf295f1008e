"""How a sale is shown: as a row of the list, with its state in words, and with its times as they are at the place.

    row_of(sale, {"0190-...": "East"}, ZoneInfo("Europe/Lisbon"))     -> {"number": "S-000012", "badges": [...], ...}

Money and quantities are shown as the server answered them. Nothing is computed but what is left of a line, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.web.pages.inventory_view import Json, number_text
from holdfast.web.pages.sales_filters import PATH, STATUS_WORDS

METHOD_WORDS = {
    "cash": "Cash",
    "card": "Card",
    "other": "Other",
    "gift_card": "Gift card",
    "exchange": "Goods that came back",
    "owed": "Set against what was owed",
}
"""How money moves, in words."""

UNFINISHED = ("open", "suspended")
"""Statuses of a sale that still promises something."""


def row_of(sale: Json, stores: Mapping[str, str], zone: ZoneInfo) -> Json:
    """A sale as a row of the list."""
    own = sale["order_number"] in (None, sale["number"])
    return {
        "id": sale["id"],
        "href": f"{PATH}/{sale['id']}",
        "number": sale["number"],
        "order": "" if own else sale["order_number"],
        "source": sale["source"],
        "customer": sale["customer"] or "",
        "store": stores.get(sale["store_id"] or "", ""),
        "units": number_text(sale["units"]),
        "total": sale["total"],
        "badges": badges_of(sale),
        "at": sale["created_at"],
        **time_of(sale["created_at"], zone),
    }


def badges_of(sale: Json) -> list[Json]:
    """The state of a sale in words, each with its kind of badge: the status first, then what is unusual."""
    lines = sale["lines"]
    badges = [_badge(sale["status"], STATUS_WORDS[sale["status"]])]
    unfinished = sale["status"] in UNFINISHED
    if any(line["backordered"] for line in lines):
        badges.append(_badge("waits", "Waits for stock"))
    if any(line["lapsed"] for line in lines):
        badges.append(_badge("lapsed", "Hold ran out"))
    if sale["unmapped_lines"]:
        badges.append(_badge("waits", "Product unknown"))
    if unfinished and any(line["fulfilled"] for line in lines):
        badges.append(_badge("partly", "Partly shipped"))
    if not unfinished and is_some(sale["owed"]):
        badges.append(_badge("owed", f"{sale['owed']} owed"))
    if any(line["returned"] for line in lines):
        whole = all(line["returned"] == line["fulfilled"] for line in lines)
        badges.append(_badge("returned", "Returned" if whole else "Partly returned"))
    return badges


def _badge(kind: str, words: str) -> Json:
    return {"kind": kind, "words": words}


def is_some(amount: str) -> bool:
    """Is the amount of money (a decimal string) anything but nothing?"""
    return Decimal(amount) != 0


def left_of(whole: Any, *gone: Any) -> str:
    """What is left of a quantity, exactly, as text that the API takes back: 0.3 less 0.1 is 0.2."""
    rest = Decimal(str(whole)) - sum((Decimal(str(one)) for one in gone), Decimal(0))
    return f"{rest.normalize():f}"


def person(actor: str) -> str:
    """The name of an actor without its kind: `user:ana@example.org` is ana@example.org."""
    return actor.partition(":")[2] or actor


def time_of(instant: str, zone: ZoneInfo, now: datetime | None = None) -> Json:
    """An instant as it is read at the place: short, and in full."""
    at = datetime.fromisoformat(instant).astimezone(zone)
    today = (now or datetime.now(UTC)).astimezone(zone)
    day = f"{at.day} {at:%b}" if at.year == today.year else f"{at.day} {at:%b %Y}"
    text = f"{at:%H:%M}" if at.date() == today.date() else f"{day}, {at:%H:%M}"
    return {"when": text, "when_full": f"{at:%Y-%m-%d %H:%M:%S} ({zone.key})"}
