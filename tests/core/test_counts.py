"""Counts and sheets: what somebody saw on the shelf is the truth (docs/how-to/count-and-move.md)."""

from __future__ import annotations

import json

import pytest

from holdfast.core.decide import CommandGroup
from holdfast.core.reservations.reserve import Consume, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.count_sheet import CloseSheet, Count, CountLine, FillSheet, RemoveSheetLine
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db import schema
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


# When a number was written -------------------------------------------------------------------------------------------


def test_a_number_counts_from_when_it_was_written(scene_anywhere: Scene) -> None:
    """The list is opened in the morning and filled in during the day: what came before the number is in it."""
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 10")
    sheet = scene.do(Count("MAIN", counted(None), draft=True))
    scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 5, lot_code="B"),)))
    filled = scene.do(FillSheet(sheet.id, counted(15)))
    assert (filled.lines[0].before, filled.lines[0].counted) == (15, 15)
    posted = scene.do(CloseSheet(sheet.id, post=True))
    assert posted.lines[0].difference == 0
    scene.stands("MUG-1 MAIN  A 10/0, B 5/0")


def test_what_was_sold_before_the_number_is_in_the_number(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 10
        101         3 MUG-1 MAIN
    """)
    sheet = scene.do(Count("MAIN", counted(None), draft=True))
    scene.do(Consume(scene.hold("101")))
    scene.do(FillSheet(sheet.id, counted(7)))
    scene.do(CloseSheet(sheet.id, post=True))
    scene.stands("""
        MUG-1 MAIN  A 7/0
        101         consumed 3
    """)


@pytest.mark.parametrize("by_lot", [False, True])
def test_a_number_that_is_written_again_counts_from_then(scene: Scene, by_lot: bool) -> None:
    scene.given("""
        MUG-1 MAIN  A 10
        101         3 MUG-1 MAIN
    """)
    lot = scene.lot("A") if by_lot else None
    sheet = scene.do(Count("MAIN", (CountLine("MUG-1", 10, lot),), draft=True))
    scene.do(Consume(scene.hold("101")))
    scene.do(FillSheet(sheet.id, (CountLine("MUG-1", 7, lot),)))
    scene.do(AdjustStock("MUG-1", "MAIN", -1))
    scene.do(CloseSheet(sheet.id, post=True))
    scene.stands("""
        MUG-1 MAIN  A 6/0
        101         consumed 3
    """)


def test_a_number_that_is_taken_back_waits_to_be_written(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    sheet = scene.do(Count("MAIN", counted(4), draft=True))
    waiting = scene.do(FillSheet(sheet.id, counted(None))).lines[0]
    assert (waiting.counted, waiting.counted_at) == (None, None)
    scene.refuses(CloseSheet(sheet.id, post=True), "INVALID_STATE")
    scene.do(AdjustStock("MUG-1", "MAIN", -2))
    scene.do(FillSheet(sheet.id, counted(8)))
    assert scene.do(CloseSheet(sheet.id, post=True)).lines[0].difference == 0
    scene.stands("MUG-1 MAIN  A 8/0")


@pytest.mark.parametrize("how", ["count", "set"])
def test_a_correction_before_and_after_the_number(scene: Scene, how: str) -> None:
    """10 in the books, 8 on the shelf: whoever says so first, it is 8; said again after a sale of 1, it is 7."""
    scene.given("MUG-1 MAIN  A 10")
    sheet = scene.do(Count("MAIN", counted(None), draft=True))
    correct = SetStock("MUG-1", "MAIN", 8) if how == "set" else Count("MAIN", counted(8))
    scene.do(FillSheet(sheet.id, counted(8)))
    scene.do(correct)
    scene.do(AdjustStock("MUG-1", "MAIN", -1))
    scene.do(FillSheet(sheet.id, counted(7)))
    scene.do(SetStock("MUG-1", "MAIN", 7))
    assert scene.do(CloseSheet(sheet.id, post=True)).lines[0].difference == 0
    scene.stands("MUG-1 MAIN  A 7/0")


def _of_an_older_version(scene: Scene, sheet_id: str, before: int) -> None:
    """Let the sheet's line be one of an older version: what was there at its opening, and no instant."""
    [row] = scene.shop.rows("SELECT lines FROM count_sheet WHERE id = :id", id=sheet_id)
    [line] = json.loads(row["lines"]) if isinstance(row["lines"], str) else row["lines"]
    del line["counted_at"]
    line["before"] = before
    with scene.shop.holdfast.database.engine.begin() as connection:
        table = schema.count_sheet
        connection.execute(table.update().where(table.c.id == sheet_id).values(lines=[line]))


def test_a_number_of_an_older_version_is_asked_for_again_where_units_moved(scene_anywhere: Scene) -> None:
    """Nobody knows whether 15 was counted before or after the 5 came; who counted says it by writing it again."""
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 10")
    sheet = scene.do(Count("MAIN", counted(None), draft=True))
    scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 5, lot_code="B"),)))
    scene.do(FillSheet(sheet.id, counted(15)))
    _of_an_older_version(scene, sheet.id, 10)
    refused = scene.refuses(CloseSheet(sheet.id, post=True), "INVALID_STATE")
    assert (refused.numbers["product_id"], [line["index"] for line in refused.numbers["lines"]]) == (
        scene.products["MUG-1"].id,
        [0],
    )
    scene.do(FillSheet(sheet.id, counted(15)))
    scene.do(CloseSheet(sheet.id, post=True))
    scene.stands("MUG-1 MAIN  A 10/0, B 5/0")


def test_a_number_of_an_older_version_is_good_where_nothing_moved(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    scene.pass_(1)
    sheet = scene.do(Count("MAIN", counted(8), draft=True))
    _of_an_older_version(scene, sheet.id, 10)
    scene.pass_(1)
    scene.do(CloseSheet(sheet.id, post=True))
    scene.stands("MUG-1 MAIN  A 8/0")


# Lines that come off, lines that are skipped -------------------------------------------------------------------------


def test_a_line_is_taken_off(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 9
        TEE-1 MAIN  T 2, U 1
    """)
    lines = (CountLine("MUG-1"), CountLine("TEE-1", 2, scene.lot("T")), CountLine("TEE-1", None, scene.lot("U")))
    sheet = scene.do(Count("MAIN", lines, draft=True))
    assert len({line.id for line in sheet.lines}) == 3
    left = scene.do(RemoveSheetLine(sheet.id, sheet.lines[0].id))
    assert [line.id for line in left.lines] == [line.id for line in sheet.lines[1:]]
    scene.do(RemoveSheetLine(sheet.id, sheet.lines[2].id))
    scene.refuses(RemoveSheetLine(sheet.id, sheet.lines[2].id), "NOT_FOUND")
    other = scene.do(Count("MAIN", counted(9), draft=True))  # it is free for another sheet
    assert [line.lot_id for line in scene.do(CloseSheet(sheet.id, post=True)).lines] == [scene.lot("T")]
    scene.refuses(RemoveSheetLine(sheet.id, sheet.lines[1].id), "INVALID_STATE")
    scene.refuses(RemoveSheetLine(other.id, other.lines[0].id), "FORBIDDEN", actor=scene.shop.east_staff)
    scene.refuses(RemoveSheetLine(scene.lot("T"), other.lines[0].id), "NOT_FOUND")


def test_lines_that_were_not_counted_are_skipped_when_that_is_said(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 9
        TEE-1 MAIN  T 2, U 1
        CAP-1 MAIN  C 4
    """)
    lines = (CountLine("MUG-1", 7), CountLine("TEE-1", None, scene.lot("T")), CountLine("CAP-1"))
    sheet = scene.do(Count("MAIN", lines, draft=True))
    refused = scene.refuses(CloseSheet(sheet.id, post=True), "INVALID_STATE")
    assert [(line["index"], line["product_id"]) for line in refused.numbers["lines"]] == [
        (1, scene.products["TEE-1"].id),
        (2, scene.products["CAP-1"].id),
    ]
    posted = scene.do(CloseSheet(sheet.id, post=True, uncounted="skip"))
    assert posted.skipped == [sheet.lines[1].id, sheet.lines[2].id]
    assert [line.difference for line in posted.lines] == [-2, None, None]
    scene.stands("""
        CAP-1 MAIN  C 4/0
        MUG-1 MAIN  A 7/0
        TEE-1 MAIN  T 2/0, U 1/0
    """)


def test_a_skipped_line_begins_no_level(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    scene.product("TEE-1")
    sheet = scene.do(Count("MAIN", (CountLine("TEE-1"), CountLine("MUG-1", 9)), draft=True))
    scene.do(CloseSheet(sheet.id, post=True, uncounted="skip"))
    assert len(scene.shop.rows("SELECT id FROM level")) == 1


@pytest.mark.parametrize("place", ["MAIN", "MAIN-QUARANTINE"])
def test_a_long_sheet_is_filled_in_at_once(scene: Scene, place: str) -> None:
    """However many lines are written, they are asked for together, wherever the sheet is."""
    skus = [f"P-{number}" for number in range(40)]
    for sku in skus:
        scene.product(sku)
    sheet = scene.do(Count(place, (), draft=True))
    scene.do(FillSheet(sheet.id, tuple(CountLine(sku, 1) for sku in skus)))
    scene.do(FillSheet(sheet.id, tuple(CountLine(sku, 2) for sku in skus)))
    posted = scene.do(CloseSheet(sheet.id, post=True))
    assert {line.difference for line in posted.lines} == {2}


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
    scene.refuses(CommandGroup(pair), "INVALID_STATE")


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
    scene.refuses(Count("MAIN", counted(9, -1)), "INVALID_REQUEST")
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
