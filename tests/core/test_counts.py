"""Counts and sheets: what somebody saw on the shelf is the truth (SPEC section 5)."""

from __future__ import annotations

import pytest

from holdfast.core.count_sheet import CloseSheet, Count, CountLine, FillSheet
from holdfast.core.counting import AdjustStock, SetStock
from holdfast.core.decide import Together
from holdfast.core.recall import Quarantine
from holdfast.core.receiving import ReceiptLine, Receive
from holdfast.core.reservation import Consume, Reserve, Target
from tests.core.scene import Scene


def counted(*numbers: int | None) -> tuple[CountLine, ...]:
    return tuple(CountLine("MUG-1", number) for number in numbers)


def test_surplus_is_a_new_lot_at_the_last_cost(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 3 @1.50, B 2 @2.25")
    answer = scene.do(Count("MAIN", counted(8)))
    scene.stands("MUG-1 MAIN  A 3/0, B 2/0, ~ 3/0")
    assert (answer.status, answer.lines[0].before, answer.lines[0].difference) == ("posted", 5, 3)
    assert scene.values() == 450 + 450 + 675


def test_surplus_without_any_known_cost_is_worth_nothing_and_says_so(scene: Scene) -> None:
    scene.product("MUG-1")
    scene.do(Count("MAIN", counted(8)))
    assert scene.values() == 0
    assert [event["data"]["quantity"] for event in scene.events("StockWithoutCost")] == [8]


def test_more_of_a_lot_joins_it_at_its_own_cost(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 @1.50, B 2 @2.25")
    scene.do(Count("MAIN", (CountLine("MUG-1", 5, scene.lot("A")), CountLine("MUG-1", 1, scene.lot("B")))))
    scene.stands("MUG-1 MAIN  A 5/0, B 1/0")
    assert (scene.value("A"), scene.value("B")) == (750, 225)


def test_a_lot_that_was_gone_is_found_again(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 @1.50, B 2")
    scene.do(AdjustStock("MUG-1", "MAIN", -3))
    scene.stands("MUG-1 MAIN  B 2/0")
    scene.do(Count("MAIN", (CountLine("MUG-1", 2, scene.lot("A")),)))
    scene.stands("MUG-1 MAIN  A 2/0, B 2/0")
    assert scene.value("A") == 300


def test_moves_since_the_sheet_was_opened_are_added_to_what_was_counted(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 9
        101         2 MUG-1 MAIN
    """)
    sheet = scene.do(Count("MAIN", counted(None), draft=True))
    assert (sheet.status, sheet.lines[0].before, sheet.lines[0].counted) == ("draft", 9, None)
    scene.do(FillSheet(sheet.id, counted(8)))
    scene.do(Consume(scene.hold("101")))
    scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 4, lot_code="B"),)))
    posted = scene.do(CloseSheet(sheet.id, post=True))
    scene.stands("""
        MUG-1 MAIN  A 6/0, B 4/0
        101         consumed 2
    """)
    assert (posted.status, posted.lines[0].before, posted.lines[0].counted, posted.lines[0].difference) == (
        "posted",
        9,
        8,
        -1,
    )


def test_a_lot_that_sold_out_since_the_sheet_was_opened_is_still_on_it(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sheet = scene.do(Count("MAIN", (CountLine("MUG-1", 6, scene.lot("A")),), draft=True))
    scene.do(AdjustStock("MUG-1", "MAIN", -5))
    assert scene.do(CloseSheet(sheet.id, post=True)).lines[0].difference == 1
    scene.stands("MUG-1 MAIN  A 1/0")


def test_a_result_below_zero_names_the_line(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 9
        TEE-1 MAIN  T 2
    """)
    sheet = scene.do(Count("MAIN", (CountLine("TEE-1", 2), CountLine("MUG-1", 3)), draft=True))
    scene.do(AdjustStock("MUG-1", "MAIN", -4))
    refused = scene.refuses(CloseSheet(sheet.id, post=True), "INVALID_STATE")
    assert [line["index"] for line in refused.numbers["lines"]] == [1]
    assert refused.numbers["product_id"] == scene.products["MUG-1"].id


def test_a_second_open_sheet_on_a_level_is_refused(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 9
        TEE-1 MAIN  T 2
        MUG-1 EAST  B 1
    """)
    first = scene.do(Count("MAIN", counted(9), draft=True))
    refused = scene.refuses(Count("MAIN", counted(8), draft=True), "INVALID_STATE")
    assert refused.numbers["count_id"] == first.id
    scene.do(Count("EAST", counted(1), draft=True))
    other = scene.do(Count("MAIN", (CountLine("TEE-1", 2),), draft=True))
    scene.refuses(FillSheet(other.id, counted(9)), "INVALID_STATE")
    scene.do(CloseSheet(first.id, post=False))
    scene.do(FillSheet(other.id, counted(9)))


def test_two_sheets_of_one_batch_know_each_other(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    pair = (Count("MAIN", counted(9), draft=True), Count("MAIN", counted(9), draft=True))
    scene.refuses(Together(pair), "INVALID_STATE")


def test_a_closed_sheet_is_closed(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    for post in (True, False):
        sheet = scene.do(Count("MAIN", counted(9), draft=True))
        scene.do(CloseSheet(sheet.id, post=post))
        scene.refuses(FillSheet(sheet.id, counted(1)), "INVALID_STATE")
        scene.refuses(CloseSheet(sheet.id, post=True), "INVALID_STATE")
    scene.refuses(CloseSheet(scene.products["MUG-1"].id, post=True), "NOT_FOUND")


def test_a_cancelled_sheet_changes_nothing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    sheet = scene.do(Count("MAIN", counted(1), draft=True))
    assert scene.do(CloseSheet(sheet.id, post=False)).status == "cancelled"
    scene.stands("MUG-1 MAIN  A 9/0")


def test_a_sheet_is_posted_when_everything_is_counted(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    sheet = scene.do(Count("MAIN", counted(None), draft=True))
    scene.refuses(CloseSheet(sheet.id, post=True), "INVALID_STATE")
    scene.refuses(Count("MAIN", counted(None)), "INVALID_QUANTITY")


def test_nothing_is_counted_twice(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    lot = CountLine("MUG-1", 9, scene.lot("A"))
    scene.refuses(Count("MAIN", counted(9, 9)), "INVALID_REQUEST")
    scene.refuses(Count("MAIN", (lot, lot)), "INVALID_REQUEST")
    scene.refuses(Count("MAIN", (lot, CountLine("MUG-1", 9))), "INVALID_REQUEST")


def test_one_bad_line_posts_nothing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    scene.refuses(Count("MAIN", (CountLine("MUG-1", 1), CountLine("GHOST-1", 1))), "PRODUCT_NOT_FOUND")
    scene.refuses(Count("MAIN", (CountLine("MUG-1", 1, scene.products["MUG-1"].id),)), "LOT_NOT_FOUND")
    scene.refuses(Count("NOWHERE", counted(1)), "LOCATION_NOT_FOUND")
    scene.refuses(Count("TRANSIT", counted(1)), "INVALID_REQUEST")
    scene.refuses(Count("MAIN", counted(1)), "FORBIDDEN", actor=scene.shop.east_staff)


def test_a_recalled_lot_that_is_found_on_the_shelf_goes_where_it_belongs(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        101         1 MUG-1 MAIN
    """)
    scene.do(Quarantine(scene.lot("A"), "glaze"))
    answer = scene.do(Count("MAIN", (CountLine("MUG-1", 2, scene.lot("A")),)))
    scene.stands("""
        MUG-1 MAIN             waits 1
        MUG-1 MAIN-QUARANTINE  A 7/0
        101                    waits 1
    """)
    assert answer.lines[0].shorted == []


@pytest.mark.parametrize("by_lot", [False, True])
@pytest.mark.parametrize("how", ["count", "set"])
def test_a_correction_meanwhile_does_not_count_twice(scene_anywhere: Scene, how: str, by_lot: bool) -> None:
    shop = scene_anywhere.shop
    shop.product("MUG-1")
    lot = shop.receive(quantity=10, lot="A")
    line = CountLine("MUG-1", lot_id=lot if by_lot else None)
    sheet = shop.ok(Count("MAIN", (line,), draft=True))
    shop.ok(Reserve("MUG-1", 2, "MAIN", Target("1")))
    if how == "count":
        shop.ok(Count("MAIN", (CountLine("MUG-1", 9, line.lot_id),)))
    else:
        shop.ok(SetStock("MUG-1", "MAIN", 9))
    shop.ok(FillSheet(sheet.id, (CountLine("MUG-1", 9, line.lot_id),)))
    shop.ok(AdjustStock("MUG-1", "MAIN", -1))

    posted = shop.ok(CloseSheet(sheet.id, post=True))

    assert posted.lines[0].difference == 0
    assert [row["on_hand"] for row in shop.rows("SELECT on_hand FROM level")] == [8]
