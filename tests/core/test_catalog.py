"""Products, stores, locations, settings: what may change when, within a batch as between batches."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.check import check
from holdfast.core.catalog import Add, Change, Remove
from holdfast.core.completion import CompleteSale
from holdfast.core.counting import SetStock
from holdfast.core.decide import Refusal, Together
from holdfast.core.order_entry import LineAsked, OpenSale
from holdfast.core.receiving import ReceiptLine, Receive
from holdfast.core.reservation import Reserve, Target
from holdfast.core.returns import ReturnedLine, ReturnSale
from tests.core.scene import Scene


def received(sku: str = "MUG-1", location: str = "MAIN") -> Receive:
    return Receive(location, (ReceiptLine(sku, 5),))


def test_precision_and_kind_are_fixed_by_the_first_entry(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1")
    product = scene.products["MUG-1"].id
    scene.do(Change("product", product, {"precision": 2}))
    scene.do(Change("product", product, {"precision": 0}))
    scene.do(received())
    scene.do(SetStock("MUG-1", "MAIN", 0))
    scene.refuses(Change("product", product, {"precision": 2}), "INVALID_STATE")
    scene.refuses(Change("product", product, {"kind": "digital"}), "INVALID_STATE")
    scene.do(Change("product", product, {"precision": 0, "kind": "physical", "title": "Big mug"}))


@pytest.mark.parametrize("fields", [{"kind": "digital"}, {"dropship": True}])
def test_precision_and_kind_are_fixed_by_a_sale_without_stock(scene_anywhere: Scene, fields: dict[str, Any]) -> None:
    """A line counts in the precision of its product; the ledger knows nothing of what needs no stock."""
    scene = scene_anywhere
    scene.product("SONG-1", price=100, **fields)
    song, other = scene.products["SONG-1"].id, "physical" if "kind" in fields else "digital"
    scene.do(Change("product", song, {"precision": 1}))
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineAsked("SONG-1", 2),)))
    scene.refuses(Change("product", song, {"precision": 2}), "INVALID_STATE")
    scene.do(CompleteSale(sale.id))
    scene.refuses(Change("product", song, {"precision": 0}), "INVALID_STATE")
    scene.refuses(Change("product", song, {"kind": other}), "INVALID_STATE")

    assert check(scene.shop.holdfast.database).mismatches == []
    assert scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 2),), "card")).refund_total == "2.00"


def test_precision_is_fixed_within_a_batch_too(scene: Scene) -> None:
    scene.product("MUG-1")
    change = Change("product", scene.products["MUG-1"].id, {"precision": 2})
    scene.refuses(Together((received(), change)), "INVALID_STATE")
    scene.do(Together((change, received())))
    assert scene.shop.rows("SELECT on_hand FROM level") == [{"on_hand": 500}]


def test_a_batch_sees_what_it_added(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    store = scene.shop.stores["MAIN"]
    scene.do(
        Together(
            (
                Add("product", {"sku": "NEW-1", "title": "New"}),
                Add("location", {"code": "SHED", "store_id": store}),
                received("NEW-1", "SHED"),
                Reserve("NEW-1", 2, "SHED", Target("101")),
            )
        )
    )
    assert scene.table() == ["NEW-1 SHED ~ 5/2", "101 ~ 2"]


def test_a_batch_sees_what_it_changed(scene: Scene) -> None:
    scene.product("MUG-1")
    product, main = scene.products["MUG-1"].id, scene.shop.rows("SELECT id FROM location WHERE code = 'EAST'")[0]["id"]
    scene.do(
        Together((Change("product", product, {"oversell": "backorder"}), Reserve("MUG-1", 1, "MAIN", Target("101"))))
    )
    scene.refuses(Together((Remove("location", main), received("MUG-1", "EAST"))), "LOCATION_NOT_FOUND")
    scene.refuses(Together((received("MUG-1", "EAST"), Remove("location", main))), "INVALID_STATE")


def test_a_batch_that_renames_a_product_knows_it_by_its_new_name(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    rename = Change("product", scene.products["MUG-1"].id, {"sku": "CUP-1"})
    group = (rename, Reserve("MUG-1", 1, "MAIN", Target("101")), Reserve("CUP-1", 1, "MAIN", Target("102")))
    answers = scene.do(Together(group, atomic=False))
    assert [isinstance(answer, Refusal) for answer in answers] == [False, True, False]
    scene.refuses(Reserve("MUG-1", 1, "MAIN"), "PRODUCT_NOT_FOUND")
    scene.stands("""
        CUP-1 MAIN  A 5/1
        102         A 1
    """)


def test_what_a_refused_group_changed_is_forgotten(scene: Scene) -> None:
    scene.product("MUG-1")
    product = scene.products["MUG-1"].id
    group = Together((Change("product", product, {"oversell": "backorder"}), Reserve("GHOST-1", 1, "MAIN")))
    scene.refuses(group, "PRODUCT_NOT_FOUND")
    scene.refuses(Reserve("MUG-1", 1, "MAIN"), "INSUFFICIENT_STOCK")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("product", {"sku": "MUG-1", "title": "Another"}),
        ("store", {"code": "EAST", "name": "Another"}),
        ("location", {"code": "MAIN"}),
    ],
)
def test_names_are_given_once(scene: Scene, kind: str, fields: dict[str, object]) -> None:
    scene.product("MUG-1")
    if kind == "location":
        fields = {**fields, "store_id": scene.shop.stores["EAST"]}
    scene.refuses(Add(kind, dict(fields)), "ALREADY_EXISTS")


def test_a_name_is_given_once_within_a_batch(scene: Scene) -> None:
    new = Add("product", {"sku": "NEW-1", "title": "New"})
    scene.refuses(Together((new, new)), "ALREADY_EXISTS")


def test_a_store_comes_with_its_quarantine(scene: Scene) -> None:
    store = scene.do(Add("store", {"code": "WEST", "name": "West"}))
    rows = scene.shop.rows("SELECT code, kind, store_id FROM location WHERE store_id = :store", store=store.id)
    assert rows == [{"code": "WEST-QUARANTINE", "kind": "quarantine", "store_id": store.id}]


def test_a_place_with_stock_or_promises_stays(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    side = scene.shop.location("SIDE")
    scene.product("MUG-1", oversell="backorder")
    hold = scene.do(Reserve("MUG-1", 1, "SIDE", Target("101")))
    assert hold.backordered_quantity == 1
    scene.refuses(Remove("location", side.id), "INVALID_STATE")
    scene.refuses(Change("location", side.id, {"kind": "quarantine"}), "INVALID_STATE")
    scene.refuses(Change("location", side.id, {"store_id": scene.shop.stores["EAST"]}), "INVALID_STATE")
    scene.do(Change("location", side.id, {"priority": 1}))


def test_what_the_organisation_cannot_do_without_stays(scene: Scene) -> None:
    for code in ("TRANSIT", "EAST-QUARANTINE"):
        place = scene.shop.rows("SELECT id FROM location WHERE code = :code", code=code)[0]["id"]
        scene.refuses(Remove("location", place), "INVALID_STATE")
        scene.refuses(Change("location", place, {"kind": "store"}), "INVALID_STATE")
    scene.refuses(Remove("store", scene.shop.stores["MAIN"]), "INVALID_STATE")


def test_a_removed_store_takes_its_empty_places_along(scene: Scene) -> None:
    scene.product("MUG-1")
    scene.do(Remove("store", scene.shop.stores["EAST"]))
    scene.refuses(received("MUG-1", "EAST"), "LOCATION_NOT_FOUND")
    scene.refuses(Remove("store", scene.shop.stores["EAST"]), "STORE_NOT_FOUND")
    scene.refuses(Add("location", {"code": "X", "store_id": scene.shop.stores["EAST"]}), "STORE_NOT_FOUND")
    again = scene.do(Add("store", {"code": "EAST", "name": "East again"}))
    scene.do(Add("location", {"code": "EAST", "store_id": again.id}))


def test_a_change_of_policy_counts_from_the_next_command(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1")
    product = scene.products["MUG-1"].id
    command = Reserve("MUG-1", 1, "MAIN", Target("101"))
    scene.refuses(command, "INSUFFICIENT_STOCK")
    scene.do(Change("product", product, {"oversell": "backorder"}))
    scene.do(command)
    scene.do(Change("product", product, {"oversell": "deny"}))
    scene.refuses(command, "INSUFFICIENT_STOCK")


def test_the_audit_log_says_who_changed_what(scene: Scene) -> None:
    scene.product("MUG-1")
    scene.do(Change("product", scene.products["MUG-1"].id, {"title": "Big"}), actor=scene.shop.manager)
    last = scene.shop.rows("SELECT actor, action, kind, changes FROM audit ORDER BY id DESC LIMIT 1")[0]
    assert (last["actor"], last["action"], last["kind"]) == ("user:manager", "change", "product")
    assert "Big" in last["changes"]


def test_what_does_not_exist_is_not_changed(scene: Scene) -> None:
    unknown = "01890000-0000-7000-8000-000000000000"
    for kind, code in (
        ("product", "PRODUCT_NOT_FOUND"),
        ("store", "STORE_NOT_FOUND"),
        ("location", "LOCATION_NOT_FOUND"),
    ):
        scene.refuses(Change(kind, unknown, {}), code)
    scene.refuses(Remove("api_key", unknown), "NOT_FOUND")


# What there is only one of -------------------------------------------------------------------------------------------

SHORT, PADDED, OTHER = "4006381333931", "04006381333931", "9506000134352"


def test_no_two_active_products_have_one_gtin_however_it_is_written(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", gtin=SHORT)
    refused = scene.refuses(Add("product", {"sku": "MUG-2", "title": "Mug", "gtin": PADDED}), "ALREADY_EXISTS")
    assert refused.numbers == {"field": "gtin"} and "MUG-1" in refused.detail
    scene.product("MUG-2", gtin=OTHER)
    second = scene.products["MUG-2"].id
    scene.refuses(Change("product", second, {"gtin": SHORT}), "ALREADY_EXISTS")
    scene.do(Change("product", scene.products["MUG-1"].id, {"gtin": PADDED}))
    scene.do(Change("product", second, {"title": "Other mug"}))


def test_a_product_that_is_not_active_leaves_its_gtin_to_others(scene: Scene) -> None:
    scene.product("MUG-1", gtin=SHORT)
    first = scene.products["MUG-1"].id
    scene.do(Change("product", first, {"active": False}))
    scene.product("MUG-2", gtin=SHORT)
    scene.product("MUG-3", gtin=SHORT, active=False)
    scene.refuses(Change("product", first, {"active": True}), "ALREADY_EXISTS")
    scene.do(Change("product", first, {"active": True, "gtin": None}))


def test_a_batch_sees_the_gtins_and_places_that_it_gave_and_took(scene: Scene) -> None:
    one, other = ({"sku": sku, "title": sku, "gtin": SHORT} for sku in ("MUG-1", "MUG-2"))
    scene.refuses(Together((Add("product", one), Add("product", other))), "ALREADY_EXISTS")
    scene.product("MUG-1", gtin=SHORT)
    free = Change("product", scene.products["MUG-1"].id, {"gtin": None})
    scene.do(Together((free, Add("product", other))))


def test_an_organisation_has_one_transit_location(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    fields = {"code": "ROAD", "store_id": scene.shop.stores["EAST"]}
    refused = scene.refuses(Add("location", {**fields, "kind": "transit"}), "ALREADY_EXISTS")
    assert refused.numbers == {"field": "kind"}
    place = scene.do(Add("location", fields))
    scene.refuses(Change("location", place.id, {"kind": "transit"}), "ALREADY_EXISTS")
    transit = scene.shop.rows("SELECT id FROM location WHERE code = 'TRANSIT'")[0]["id"]
    scene.do(Change("location", transit, {"kind": "transit", "priority": 7}))


def test_the_last_owner_stays(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    owner, key = (
        scene.shop.rows(f"SELECT id FROM {kind} WHERE role = 'owner'")[0]["id"] for kind in ("app_user", "api_key")
    )
    scene.do(Change("app_user", owner, {"email": "ana.luz@arcoiris.example"}))
    scene.do(Remove("api_key", key))
    for command in (
        Remove("app_user", owner),
        Change("app_user", owner, {"role": "admin"}),
        Change("app_user", owner, {"stores": (scene.shop.stores["EAST"],)}),
    ):
        scene.refuses(command, "INVALID_STATE")
    second = {"email": "bo@arcoiris.example", "password_hash": "x", "role": "owner"}
    scene.refuses(
        Together((Add("app_user", {**second, "stores": (scene.shop.stores["EAST"],)}), Remove("app_user", owner))),
        "INVALID_STATE",
    )
    made = scene.do(Together((Add("app_user", second), Remove("app_user", owner))))[0]
    scene.refuses(Remove("app_user", made.id), "INVALID_STATE")


def test_the_places_of_money_are_fixed_once_there_are_products(scene: Scene) -> None:
    scene.do(Change("organisation", scene.shop.org_id, {"currency": "JPY", "minor_digits": 0}))
    scene.product("MUG-1")
    scene.refuses(Change("organisation", scene.shop.org_id, {"currency": "USD", "minor_digits": 2}), "INVALID_STATE")
    scene.do(Change("organisation", scene.shop.org_id, {"currency": "KRW", "minor_digits": 0}))
