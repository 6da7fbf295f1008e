"""The picture of a history: its points are those of the steps, and its words say what it shows."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from holdfast.web.pages.chart import chart_of

LISBON = ZoneInfo("Europe/Lisbon")


def step(at: str, on_hand: float, reserved: float = 0) -> dict[str, Any]:
    """A step of a history."""
    return {"at": at, "on_hand": on_hand, "reserved": reserved, "backordered": 0}


def history(start: str, end: str, *steps: dict[str, Any]) -> dict[str, Any]:
    """A history of these steps."""
    return {"from": start, "to": end, "steps": list(steps)}


def test_a_step_goes_level_to_its_time_and_then_up_or_down() -> None:
    days = history(
        "2031-05-01T00:00:00Z",
        "2031-05-11T00:00:00Z",
        step("2031-05-01T00:00:00Z", 4),
        step("2031-05-06T00:00:00Z", 8, 2),
    )
    chart = chart_of(days, 6, LISBON)

    assert chart.on_hand == "0.0,48.0 180.0,48.0 180.0,0.0 360,0.0"
    assert chart.reserved == "0.0,96.0 180.0,96.0 180.0,72.0 360,72.0"
    assert chart.on_hand_area == f"0,96 {chart.on_hand} 360,96"
    assert (chart.threshold, chart.top, chart.begins, chart.ends) == (24.0, "8", "1 May", "11 May")
    assert chart.words == "On hand 4 at first, 8 now, at most 8; reserved 2 now"


@pytest.mark.parametrize("end", ["2031-05-01T12:00:00Z", "2031-05-01T00:00:00Z"])
def test_a_short_time_is_told_by_the_clock_and_nothing_is_divided_by_nothing(end: str) -> None:
    chart = chart_of(history("2031-05-01T00:00:00Z", end, step("2031-05-01T00:00:00Z", 0)), None, LISBON)

    assert (chart.begins, chart.threshold, chart.top) == ("01:00", None, "1")
    assert chart.on_hand == "0.0,96.0 360,96.0"


def test_a_line_to_order_at_that_is_above_all_stock_stays_inside() -> None:
    chart = chart_of(
        history("2031-05-01T00:00:00Z", "2031-05-11T00:00:00Z", step("2031-05-01T00:00:00Z", 0.25)), 1000, LISBON
    )

    assert (chart.threshold, chart.top) == (0.0, "1,000")
