"""A product's past as a line: what the ledger says at each of its instants, however long the ledger is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.records.command import CommandGroup
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.queries import history
from holdfast.db.queries.history import STEPS_MAX, HistoryFilter
from tests.shop import Clock, Shop, open_shop

SECOND = 1_000_000


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A shop with mugs."""
    with open_shop(database_url) as shop:
        shop.product("MUG-1")
        yield shop


def traded(shop: Shop, moves: int, places: tuple[str, ...] = ("MAIN", "EAST")) -> list[Any]:
    """The entries after so many moves at random, oldest first."""
    chance = random.Random(moves)
    for place in places:
        shop.receive("MUG-1", 50, place)
    for number in range(moves):
        place = chance.choice(places)
        if chance.random() < 0.5:
            shop.ok(SetStock("MUG-1", place, chance.randrange(40, 80)))
        else:
            shop.ok(Reserve("MUG-1", 1, place, Target(f"O-{number}"), override=True))
    found, cursor = list[Any](), None
    while True:
        page = shop.holdfast.reports.ledger(shop.org_id, product="MUG-1", cursor=cursor, limit=200)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found[::-1]


def stood(entries: list[Any], at: str) -> tuple[int, int, int]:
    """What all levels together had at an instant, counted one by one."""
    last: dict[str, Any] = {}
    for entry in entries:
        if entry["created_at"] <= at:
            last[entry["location"]] = entry
    names = ("balance_after", "reserved_after", "backordered_after")
    return tuple(sum(entry[name] for entry in last.values()) for name in names)  # type: ignore[return-value] # three


def line(shop: Shop, **fields: Any) -> Any:
    """The product's line."""
    stores = fields.pop("stores", None)
    return shop.holdfast.reports.product_history(shop.org_id, "MUG-1", HistoryFilter(**fields), stores=stores)


def figures(step: Any) -> tuple[int, int, int]:
    """What a step says."""
    return step["on_hand"], step["reserved"], step["backordered"]


def test_few_entries_are_all_there(shop: Shop) -> None:
    entries = traded(shop, 30)

    seen = line(shop)

    assert seen["exact"]
    assert figures(seen["steps"][0]) == (0, 0, 0)
    assert [figures(step) for step in seen["steps"]] == [stood(entries, step["at"]) for step in seen["steps"]]
    instants = {entry["created_at"] for entry in entries}
    assert {step["at"] for step in seen["steps"][1:]} <= instants
    assert figures(seen["steps"][-1]) == stood(entries, "9999")
    received = {entry["created_at"] for entry in entries if entry["ref_type"] == "RECEIPT"}
    assert {step["at"] for step in seen["steps"] if step["marks"]} == received


def test_receipts_and_counts_are_marked(shop: Shop) -> None:
    """Also where what came went at the same instant, and so nothing is other than before."""
    shop.receive("MUG-1", 5, "MAIN")
    shop.ok(SetStock("MUG-1", "MAIN", 4))
    shop.ok(Count("MAIN", (CountLine("MUG-1", 6),)))
    shop.ok(Reserve("MUG-1", 1, "MAIN", Target("O-1")))
    both = (Receive("EAST", (ReceiptLine("MUG-1", 2),)), SetStock("MUG-1", "EAST", 0))
    shop.ok(CommandGroup(both))

    seen = [(figures(step), step["marks"]) for step in line(shop)["steps"]]

    assert seen == [
        ((0, 0, 0), []),
        ((5, 0, 0), ["RECEIPT"]),
        ((4, 0, 0), []),
        ((6, 0, 0), ["COUNT"]),
        ((6, 1, 0), []),
        ((6, 1, 0), ["RECEIPT"]),
    ]


@pytest.mark.parametrize("most", [STEPS_MAX, 60])
def test_of_many_entries_each_part_is_exact_at_its_end(shop: Shop, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(history, "STEPS_MAX", most)
    monkeypatch.setattr(history, "PARTS_MIN", 5)
    entries = traded(shop, 450 if most == STEPS_MAX else 120)

    seen = line(shop)

    assert not seen["exact"]
    assert {step["marks"] for step in seen["steps"]} == {None}
    assert len(seen["steps"]) <= most
    assert [figures(step) for step in seen["steps"]] == [stood(entries, step["at"]) for step in seen["steps"]]
    assert figures(seen["steps"][-1]) == stood(entries, "9999")


def test_a_line_begins_with_what_there_was_before(tmp_path: Path) -> None:
    clock = Clock()
    with clock.running(), open_shop(f"sqlite:///{tmp_path / 'past.db'}") as shop:
        shop.product("MUG-1")
        shop.receive("MUG-1", 5, "MAIN")
        began = clock.pass_(1000 * SECOND)
        clock.pass_(1000 * SECOND)
        shop.receive("MUG-1", 3, "EAST")
        ended = clock.pass_(1000 * SECOND)
        shop.receive("MUG-1", 1, "MAIN")

        seen = line(shop, from_=began, to=ended)
        here = line(shop, from_=began, to=ended, location="main")
        of_east = line(shop, from_=began, to=ended, stores=frozenset((shop.stores["EAST"],)))
        nowhere = line(shop, from_=began, to=ended, location="NONE")

    assert [step["on_hand"] for step in seen["steps"]] == [5, 8]
    assert [step["on_hand"] for step in here["steps"]] == [5]
    assert [step["on_hand"] for step in of_east["steps"]] == [0, 3]
    assert [step["on_hand"] for step in nowhere["steps"]] == [0]


def test_what_does_not_exist_has_no_line(shop: Shop) -> None:
    assert shop.holdfast.reports.product_history(shop.org_id, "NONE", HistoryFilter()) is None
