"""Refusals: which code, in which order, with which numbers; and balances that would leave their bounds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from holdfast.core.organisation.products import ChangeProduct
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.order_holds import ConsumeAtLevel, ReleaseAtLevel, ReserveAtLevel
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, UnlistLevel
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from tests.core.scene import Scene

UNKNOWN = "01890000-0000-7000-8000-000000000000"
MOST = 10**12


def test_reserve_tells_the_first_of_what_is_wrong(scene: Scene) -> None:
    """One wrong thing after another is mended; what is told is always the first in the documented order."""
    scene.given("""
        MUG-1 MAIN  A 5
        TEE-1 MAIN  T 5
    """)
    scene.product("SONG-1", kind="digital")
    past = scene.now - 1
    nobody = Target(reserved_for_type="appointment", reserved_for_id=UNKNOWN)

    def told(code: str, *arguments: Any, east: bool = False, **options: Any) -> None:
        scene.refuses(Reserve(*arguments, **options), code, actor=scene.shop.east_staff if east else None)

    told("FORBIDDEN", "GHOST-1", 0, "MAIN", nobody, UNKNOWN, past, east=True)
    told("PRODUCT_NOT_FOUND", "GHOST-1", 0, "NOWHERE", nobody, UNKNOWN, past)
    told("LOCATION_NOT_FOUND", "MUG-1", 0, "NOWHERE", nobody, UNKNOWN, past)
    told("LOT_NOT_FOUND", "MUG-1", 0, "MAIN", nobody, UNKNOWN, past)
    told("LOT_NOT_FOUND", "MUG-1", 0, "MAIN", nobody, scene.lot("T"), past)
    told("TARGET_NOT_FOUND", "MUG-1", 0, "MAIN", nobody, None, past)
    told("INVALID_QUANTITY", "MUG-1", 0, "MAIN", Target("1"), None, past)
    told("INVALID_EXPIRY", "MUG-1", 9, "MAIN", Target("1"), None, past)
    told("INSUFFICIENT_STOCK", "MUG-1", 9, "MAIN", Target("1"))
    told("PRODUCT_NOT_STOCK_TRACKED", "SONG-1", 9, "MAIN", Target("1"))


def test_what_a_hold_is_for_is_told_in_the_same_order(scene: Scene) -> None:
    """403, 404, 400 and 409 of a sale line: of another store, of nothing, of another product, of what is finished."""
    scene.given("""
        MUG-1 MAIN  A 5
        TEE-1 EAST  T 5
    """)
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 1),)))
    line = Target(sale_line_id=sale.lines[0].id)
    east = scene.shop.east_staff
    scene.refuses(Reserve("GHOST-1", 1, None, line), "FORBIDDEN", actor=east)
    scene.do(ChangeProduct(scene.products["TEE-1"].id, active=False))
    scene.refuses(Reserve("TEE-1", 1, None, line), "FORBIDDEN", actor=east)
    scene.refuses(Reserve("TEE-1", 1, None, line), "INVALID_REQUEST")
    scene.do(CompleteSale(sale.id))
    scene.refuses(Reserve("TEE-1", 1, None, line), "INVALID_REQUEST")
    scene.refuses(Reserve("MUG-1", 1, None, line), "INVALID_STATE")


def test_a_lot_that_is_elsewhere_expired_or_recalled_is_not_available(scene: Scene) -> None:
    scene.given("""
        MUG-1 EAST  B 5
        MUG-1 MAIN  A 5, C 5 until 60, D 5
    """)
    scene.do(Quarantine(scene.lot("D")))
    scene.pass_(60)
    scene.shop.refused(Reserve("MUG-1", 100, "MAIN"))
    for code in "BCD":
        scene.refuses(Reserve("MUG-1", 1, "MAIN", lot_id=scene.lot(code)), "LOT_NOT_AVAILABLE")
        scene.refuses(Reserve("MUG-1", 1, "MAIN", lot_id=scene.lot(code), override=True), "LOT_NOT_AVAILABLE")


@pytest.mark.parametrize("quantity", [0, Decimal("1.5"), -3])
def test_a_meaningless_quantity_is_told_before_the_state(scene: Scene, quantity: Any) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        101         5 MUG-1 MAIN
    """)
    scene.do(Release(scene.hold("101")))
    for command in (Consume, Release, Amend):
        scene.refuses(command(scene.hold("101"), quantity), "INVALID_QUANTITY")
        scene.refuses(command(UNKNOWN, quantity), "RESERVATION_NOT_FOUND")
    scene.refuses(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", quantity, UNKNOWN),)), "LOT_NOT_FOUND")
    scene.refuses(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", quantity),)), "INVALID_QUANTITY")
    scene.refuses(ReceiveTransfer(UNKNOWN), "NOT_FOUND")


@pytest.mark.parametrize(
    "name", [UNKNOWN, "nonsense", "", "' OR 1=1 --", "x" * 300, "01890000-0000-7000-8000-00000000000G"]
)
def test_ids_that_nobody_has_are_not_found(scene: Scene, name: str) -> None:
    scene.refuses(Consume(name), "RESERVATION_NOT_FOUND")
    scene.refuses(Amend(name, 1), "RESERVATION_NOT_FOUND")
    scene.refuses(Quarantine(name), "LOT_NOT_FOUND")
    scene.refuses(ReceiveTransfer(name), "NOT_FOUND")
    no_text = not 1 <= len(name) <= 200
    scene.refuses(Reserve(name, 1, "MAIN"), "INVALID_REQUEST" if no_text else "PRODUCT_NOT_FOUND")


@pytest.mark.parametrize("command", [Release, Consume])
def test_a_part_of_a_hold_is_taken_from_a_lot_that_backs_it(
    scene: Scene, command: type[Release] | type[Consume]
) -> None:
    scene.given("""
        MUG-1 MAIN  A 2, B 3
        TEE-1 MAIN  C 1
    """)
    hold = scene.do(Reserve("MUG-1", 2, "MAIN"))
    lots = {row["code"]: row["id"] for row in scene.shop.rows("SELECT id, code FROM lot")}
    for lot_id in (UNKNOWN, lots["C"]):
        scene.refuses(command(hold.id, lot_id=lot_id), "LOT_NOT_FOUND")
        scene.refuses(command(hold.id, 0, lot_id=lot_id), "LOT_NOT_FOUND")
    refused = scene.refuses(command(hold.id, lot_id=lots["B"]), "INSUFFICIENT_RESERVED")
    assert refused.detail == "Lot B backs 0 of MUG-1 of the reservation; 2 requested."
    assert (refused.numbers["requested"], refused.numbers["allocated"], refused.numbers["available"]) == (2, 0, 0)
    refused = scene.refuses(command(hold.id, 3, lot_id=lots["A"]), "INSUFFICIENT_RESERVED")
    assert (refused.numbers["requested"], refused.numbers["available"]) == (3, 2)
    scene.do(command(hold.id, lot_id=lots["A"]))


def test_names_are_found_in_any_writing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    product = scene.products["MUG-1"].id
    place = scene.shop.rows("SELECT id FROM location WHERE code = 'MAIN'")[0]["id"]
    for name in ("MUG-1", product, product.upper()):
        for code in ("MAIN", "main", "Main", place):
            scene.do(SetStock(name, code, 5))
    scene.refuses(SetStock("mug-1", "MAIN", 5), "PRODUCT_NOT_FOUND")
    scene.refuses(SetStock("MUG-1", "ma\u0131n", 5), "LOCATION_NOT_FOUND")  # a Turkish i: in capitals it is MAIN


def test_another_stores_holds_and_levels_are_forbidden(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        101         2 MUG-1 MAIN
    """)
    for command in (
        Consume(scene.hold("101")),
        Release(scene.hold("101")),
        Amend(scene.hold("101"), 1),
        SetStock("MUG-1", "MAIN", 1),
        AdjustStock("MUG-1", "MAIN", 1),
        Receive("MAIN", (ReceiptLine("MUG-1", 1),)),
        ReserveAtLevel("MUG-1", "MAIN", 1),
        ReleaseAtLevel("MUG-1", "MAIN", 1, "101"),
        ConsumeAtLevel("MUG-1", "MAIN", 1, "101"),
        UnlistLevel("MUG-1", "MAIN"),
        Count("MAIN", (CountLine("MUG-1", 1),)),
    ):
        scene.refuses(command, "FORBIDDEN", actor=scene.shop.east_staff)


def test_a_balance_never_goes_beyond_its_bound(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.given(f"""
        MUG-1 EAST  B {MOST}
        MUG-1 MAIN  A {MOST - 1}
    """)
    scene.refuses(Receive("MAIN", (ReceiptLine("MUG-1", 2),)), "INVALID_QUANTITY")
    scene.refuses(AdjustStock("MUG-1", "MAIN", 2), "INVALID_QUANTITY")
    scene.refuses(Count("MAIN", (CountLine("MUG-1", MOST + 1),)), "INVALID_QUANTITY")
    scene.refuses(SetStock("MUG-1", "MAIN", MOST + 1), "INVALID_QUANTITY")
    sent = scene.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 2),)))
    scene.refuses(ReceiveTransfer(sent.id), "INVALID_QUANTITY")
    scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 1),), short=True))


def test_what_waits_never_goes_beyond_its_bound(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.do(Reserve("MUG-1", MOST - 1, "MAIN", Target("101")))
    scene.refuses(Reserve("MUG-1", 2, "MAIN", Target("102")), "INVALID_QUANTITY")
    scene.refuses(Amend(scene.hold("101"), MOST + 1), "INVALID_QUANTITY")
    scene.do(Amend(scene.hold("101"), MOST))
    scene.do(Receive("MAIN", (ReceiptLine("MUG-1", MOST, lot_code="A"),)))
    scene.stands(f"""
        MUG-1 MAIN  A {MOST}/{MOST}
        101         A {MOST}
    """)


def test_value_never_goes_beyond_its_bound(scene: Scene) -> None:
    scene.product("MUG-1")
    most_dear = "999999999.999999"
    scene.refuses(Receive("MAIN", (ReceiptLine("MUG-1", MOST, most_dear),)), "INVALID_AMOUNT")
    scene.refuses(AdjustStock("MUG-1", "MAIN", MOST, unit_cost=most_dear), "INVALID_AMOUNT")
    scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 1, most_dear, lot_code="A"),)))
    scene.refuses(SetStock("MUG-1", "MAIN", MOST), "INVALID_AMOUNT")


def test_a_compare_and_set_compares_quantities(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 4")
    for expected in (Decimal("0.5"), Decimal("1e400"), Decimal("NaN"), -1):
        scene.refuses(SetStock("MUG-1", "MAIN", 1, expected=expected), "INVALID_QUANTITY")
    scene.do(SetStock("MUG-1", "MAIN", 1, expected=Decimal("4.0")))


def test_only_an_empty_level_leaves_the_lists(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 1")
    refused = scene.refuses(UnlistLevel("MUG-1", "MAIN"), "INVALID_STATE")
    assert refused.numbers["quantity"] == 1
    scene.refuses(UnlistLevel("MUG-1", "EAST"), "NOT_FOUND")
    scene.do(SetStock("MUG-1", "MAIN", 0))
    scene.do(UnlistLevel("MUG-1", "MAIN"))
    scene.refuses(UnlistLevel("MUG-1", "MAIN"), "NOT_FOUND")
    before = scene.ledger()
    scene.given("MUG-1 MAIN  B 1")
    assert [line["seq"] for line in scene.ledger()] == [line["seq"] for line in before] + [3]


def test_a_quantity_that_is_none_is_told_what_it_may_be(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    transfer = scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 1),)))
    for command, may_be in (
        (SetStock("MUG-1", "MAIN", -1), "0 or more"),
        (SetStock("MUG-1", "MAIN", 1, -1), "0 or more"),
        (Count("MAIN", (CountLine("MUG-1", -1),)), "0 or more"),
        (ReceiveTransfer(transfer.id, (TransferLine("MUG-1", -1),)), "0 or more"),
        (AdjustStock("MUG-1", "MAIN", 0), "other than 0"),
        (Reserve("MUG-1", 0, "MAIN"), "greater than 0"),
    ):
        assert f"must be {may_be}," in scene.refuses(command, "INVALID_QUANTITY").detail, command


def test_who_may_not_act_at_a_transfers_end_hears_that_first(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    ghosts = (TransferLine("GHOST-1", 0),)
    scene.do(ReceiveTransfer(scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 1),))).id))
    home = scene.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1),)))
    for command in (
        Dispatch("MAIN", "NOWHERE", ghosts),
        Dispatch("MAIN", "MAIN", ghosts),
        Dispatch("MAIN", "EAST", ghosts),
        Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 99),)),
        ReceiveTransfer(home.id, ghosts),
        ReceiveTransfer(home.id, (TransferLine("MUG-1", 99),)),
    ):
        scene.refuses(command, "FORBIDDEN", actor=scene.shop.east_staff)
    scene.do(ReceiveTransfer(home.id))
    scene.refuses(ReceiveTransfer(home.id), "FORBIDDEN", actor=scene.shop.east_staff)
    scene.refuses(ReceiveTransfer(home.id), "INVALID_STATE")
