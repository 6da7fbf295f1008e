"""A product's past as a picture: on hand and reserved as steps, and the line at which it is ordered again.

    chart_of(reports.product_history(...), 4, zone)     -> Chart(on_hand="0,96 120,96 120,40 ...", top="12", ...)

The template draws it; its numbers are those of the history. It has no more points than the history has steps, times
two: a step goes level to its time and then up or down.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

WIDTH, HEIGHT = 360, 96
"""The picture's own units; it is stretched to where it stands."""


SHORT_SECONDS = 24 * 3600
"""What is shorter than this is told by times, not by days."""


class Chart(NamedTuple):
    """A picture of WIDTH by HEIGHT: points of lines as SVG writes them, heights, and words."""

    on_hand: str
    on_hand_area: str
    reserved: str
    threshold: float | None
    top: str
    begins: str
    ends: str
    words: str


def chart_of(history: dict[str, Any], threshold: float | None, zone: ZoneInfo) -> Chart:
    """The picture of a history, whose times are shown as they are in the zone."""
    steps = history["steps"]
    start, end = datetime.fromisoformat(history["from"]), datetime.fromisoformat(history["to"])
    span = (end - start).total_seconds() or 1
    most = max([step["on_hand"] for step in steps] + [step["reserved"] for step in steps] + [threshold or 0, 1])

    def line(name: str) -> str:
        points, before = list[str](), HEIGHT * 1.0
        for index, step in enumerate(steps):
            x = WIDTH * (datetime.fromisoformat(step["at"]) - start).total_seconds() / span
            y = HEIGHT - HEIGHT * step[name] / most
            points += [f"{x:.1f},{y:.1f}"] if index == 0 else [f"{x:.1f},{before:.1f}", f"{x:.1f},{y:.1f}"]
            before = y
        return " ".join([*points, f"{WIDTH},{before:.1f}"])

    on_hand = line("on_hand")
    first, last = steps[0], steps[-1]
    words = f"On hand {first['on_hand']:,} at first, {last['on_hand']:,} now, at most "
    words += f"{max(step['on_hand'] for step in steps):,}; reserved {last['reserved']:,} now"
    return Chart(
        on_hand=on_hand,
        on_hand_area=f"0,{HEIGHT} {on_hand} {WIDTH},{HEIGHT}",
        reserved=line("reserved"),
        threshold=None if not threshold else round(HEIGHT - HEIGHT * threshold / most, 1),
        top=f"{most:,}",
        begins=_mark(start, zone, span),
        ends=_mark(end, zone, span),
        words=words,
    )


def _mark(at: datetime, zone: ZoneInfo, span: float) -> str:
    """The end of an axis of so many seconds: a day, or where that is short, a time."""
    local = at.astimezone(zone)
    return f"{local:%H:%M}" if span < SHORT_SECONDS else f"{local.day} {local:%b}"
