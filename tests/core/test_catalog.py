"""Products, stores, locations, settings: what may change when, within a batch as between batches."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.check import check
from holdfast.core.decide import CommandGroup, Refusal
from holdfast.core.organisation.keys import RemoveKey
from holdfast.core.organisation.places import (
    AddLocation,
    AddStore,
    ChangeLocation,
    ChangeStore,
    RemoveLocation,
    RemoveStore,
)
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.organisation.users import AddUser, ChangeUser, RemoveUser
from holdfast.core.records.command import Command
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.core.scene import Scene


def received(sku: str = "MUG-1", location: str = "MAIN") -> Receive:
    return Receive(location, (ReceiptLine(sku, 5),))


def test_precision_and_kind_are_fixed_by_the_first_entry(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1")
    product = scene.products["MUG-1"].id
    scene.do(ChangeProduct(product, precision=2))
    scene.do(ChangeProduct(product, precision=0))
    scene.do(received())
    scene.do(SetStock("MUG-1", "MAIN", 0))
    scene.refuses(ChangeProduct(product, precision=2), "INVALID_STATE")
    scene.refuses(ChangeProduct(product, kind="digital"), "INVALID_STATE")
    scene.do(ChangeProduct(product, precision=0, kind="physical", title="Big mug"))


@pytest.mark.parametrize("fields", [{"kind": "digital"}, {"dropship": True}])
def test_precision_and_kind_are_fixed_by_a_sale_without_stock(scene_anywhere: Scene, fields: dict[str, Any]) -> None:
    """A line counts in the precision of its product; the ledger knows nothing of what needs no stock."""
    scene = scene_anywhere
    scene.product("SONG-1", price=100, **fields)
    song, other = scene.products["SONG-1"].id, "physical" if "kind" in fields else "digital"
    scene.do(ChangeProduct(song, precision=1))
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("SONG-1", 2),)))
    scene.refuses(ChangeProduct(song, precision=2), "INVALID_STATE")
    scene.do(CompleteSale(sale.id))
    scene.refuses(ChangeProduct(song, precision=0), "INVALID_STATE")
    scene.refuses(ChangeProduct(song, kind=other), "INVALID_STATE")

    assert check(scene.shop.holdfast.database).mismatches == []
    assert scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 2),), "card")).refund_total == "2.00"


def test_precision_is_fixed_within_a_batch_too(scene: Scene) -> None:
    scene.product("MUG-1")
    change = ChangeProduct(scene.products["MUG-1"].id, precision=2)
    scene.refuses(CommandGroup((received(), change)), "INVALID_STATE")
    scene.do(CommandGroup((change, received())))
    assert scene.shop.rows("SELECT on_hand FROM level") == [{"on_hand": 500}]


def test_a_batch_sees_what_it_added(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    store = scene.shop.stores["MAIN"]
    scene.do(
        CommandGroup(
            (
                AddProduct(sku="NEW-1", title="New"),
                AddLocation(code="SHED", store_id=store),
                received("NEW-1", "SHED"),
                Reserve("NEW-1", 2, "SHED", Target("101")),
            )
        )
    )
    assert scene.table() == ["NEW-1 SHED ~ 5/2", "101 ~ 2"]


def test_a_batch_sees_what_it_changed(scene: Scene) -> None:
    scene.product("MUG-1")
    product, main = scene.products["MUG-1"].id, scene.shop.rows("SELECT id FROM location WHERE code = 'EAST'")[0]["id"]
    scene.do(CommandGroup((ChangeProduct(product, oversell="backorder"), Reserve("MUG-1", 1, "MAIN", Target("101")))))
    scene.refuses(CommandGroup((RemoveLocation(main), received("MUG-1", "EAST"))), "LOCATION_NOT_FOUND")
    scene.refuses(CommandGroup((received("MUG-1", "EAST"), RemoveLocation(main))), "INVALID_STATE")


def test_a_batch_that_renames_a_product_knows_it_by_its_new_name(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    rename = ChangeProduct(scene.products["MUG-1"].id, sku="CUP-1")
    group = (rename, Reserve("MUG-1", 1, "MAIN", Target("101")), Reserve("CUP-1", 1, "MAIN", Target("102")))
    answers = scene.do(CommandGroup(group, atomic=False))
    assert [isinstance(answer, Refusal) for answer in answers] == [False, True, False]
    scene.refuses(Reserve("MUG-1", 1, "MAIN"), "PRODUCT_NOT_FOUND")
    scene.stands("""
        CUP-1 MAIN  A 5/1
        102         A 1
    """)


def test_what_a_refused_group_changed_is_forgotten(scene: Scene) -> None:
    scene.product("MUG-1")
    product = scene.products["MUG-1"].id
    group = CommandGroup((ChangeProduct(product, oversell="backorder"), Reserve("GHOST-1", 1, "MAIN")))
    scene.refuses(group, "PRODUCT_NOT_FOUND")
    scene.refuses(Reserve("MUG-1", 1, "MAIN"), "INSUFFICIENT_STOCK")


@pytest.mark.parametrize(
    "command", [AddProduct("MUG-1", "Another"), AddStore("EAST", "Another"), AddLocation("MAIN", "EAST")]
)
def test_names_are_given_once(scene: Scene, command: Command) -> None:
    scene.product("MUG-1")
    scene.refuses(command, "ALREADY_EXISTS")


def test_a_name_is_given_once_within_a_batch(scene: Scene) -> None:
    new = AddProduct(sku="NEW-1", title="New")
    scene.refuses(CommandGroup((new, new)), "ALREADY_EXISTS")


def test_a_store_comes_with_its_quarantine(scene: Scene) -> None:
    store = scene.do(AddStore(code="WEST", name="West"))
    rows = scene.shop.rows("SELECT code, kind, store_id FROM location WHERE store_id = :store", store=store.id)
    assert rows == [{"code": "WEST-QUARANTINE", "kind": "quarantine", "store_id": store.id}]


def test_a_place_with_stock_or_promises_stays(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    side = scene.shop.location("SIDE")
    scene.product("MUG-1", oversell="backorder")
    hold = scene.do(Reserve("MUG-1", 1, "SIDE", Target("101")))
    assert hold.backordered_quantity == 1
    scene.refuses(RemoveLocation(side.id), "INVALID_STATE")
    scene.refuses(ChangeLocation(side.id, kind="quarantine"), "INVALID_STATE")
    scene.refuses(ChangeLocation(side.id, store_id=scene.shop.stores["EAST"]), "INVALID_STATE")
    scene.do(ChangeLocation(side.id, priority=1))


def test_what_the_organisation_cannot_do_without_stays(scene: Scene) -> None:
    for code in ("TRANSIT", "EAST-QUARANTINE"):
        place = scene.shop.rows("SELECT id FROM location WHERE code = :code", code=code)[0]["id"]
        scene.refuses(RemoveLocation(place), "INVALID_STATE")
        scene.refuses(ChangeLocation(place, kind="store"), "INVALID_STATE")
    scene.refuses(RemoveStore(scene.shop.stores["MAIN"]), "INVALID_STATE")


def test_a_removed_store_takes_its_empty_places_along(scene: Scene) -> None:
    scene.product("MUG-1")
    scene.do(RemoveStore(scene.shop.stores["EAST"]))
    scene.refuses(received("MUG-1", "EAST"), "LOCATION_NOT_FOUND")
    scene.refuses(RemoveStore(scene.shop.stores["EAST"]), "STORE_NOT_FOUND")
    scene.refuses(AddLocation(code="X", store_id=scene.shop.stores["EAST"]), "STORE_NOT_FOUND")
    again = scene.do(AddStore(code="EAST", name="East again"))
    scene.do(AddLocation(code="EAST", store_id=again.id))


def test_a_change_of_policy_counts_from_the_next_command(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1")
    product = scene.products["MUG-1"].id
    command = Reserve("MUG-1", 1, "MAIN", Target("101"))
    scene.refuses(command, "INSUFFICIENT_STOCK")
    scene.do(ChangeProduct(product, oversell="backorder"))
    scene.do(command)
    scene.do(ChangeProduct(product, oversell="deny"))
    scene.refuses(command, "INSUFFICIENT_STOCK")


def test_the_audit_log_says_who_changed_what(scene: Scene) -> None:
    scene.product("MUG-1")
    scene.do(ChangeProduct(scene.products["MUG-1"].id, title="Big"), actor=scene.shop.manager)
    last = scene.shop.rows("SELECT actor, action, kind, changes FROM audit ORDER BY id DESC LIMIT 1")[0]
    assert (last["actor"], last["action"], last["kind"]) == ("user:manager", "change", "product")
    assert "Big" in last["changes"]


def test_what_does_not_exist_is_not_changed(scene: Scene) -> None:
    unknown = "01890000-0000-7000-8000-000000000000"
    for command, code in (
        (ChangeProduct, "PRODUCT_NOT_FOUND"),
        (ChangeStore, "STORE_NOT_FOUND"),
        (ChangeLocation, "LOCATION_NOT_FOUND"),
    ):
        scene.refuses(command(unknown), code)
    scene.refuses(RemoveKey(unknown), "NOT_FOUND")


# What there is only one of -------------------------------------------------------------------------------------------

SHORT, PADDED, OTHER = "4006381333931", "04006381333931", "9506000134352"


def test_no_two_active_products_have_one_gtin_however_it_is_written(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", gtin=SHORT)
    refused = scene.refuses(AddProduct(sku="MUG-2", title="Mug", gtin=PADDED), "ALREADY_EXISTS")
    assert refused.numbers == {"field": "gtin"} and "MUG-1" in refused.detail
    scene.product("MUG-2", gtin=OTHER)
    second = scene.products["MUG-2"].id
    scene.refuses(ChangeProduct(second, gtin=SHORT), "ALREADY_EXISTS")
    scene.do(ChangeProduct(scene.products["MUG-1"].id, gtin=PADDED))
    scene.do(ChangeProduct(second, title="Other mug"))


def test_a_product_that_is_not_active_leaves_its_gtin_to_others(scene: Scene) -> None:
    scene.product("MUG-1", gtin=SHORT)
    first = scene.products["MUG-1"].id
    scene.do(ChangeProduct(first, active=False))
    scene.product("MUG-2", gtin=SHORT)
    scene.product("MUG-3", gtin=SHORT, active=False)
    scene.refuses(ChangeProduct(first, active=True), "ALREADY_EXISTS")
    scene.do(ChangeProduct(first, active=True, gtin=None))


def test_a_batch_sees_the_gtins_and_places_that_it_gave_and_took(scene: Scene) -> None:
    one, other = ({"sku": sku, "title": sku, "gtin": SHORT} for sku in ("MUG-1", "MUG-2"))
    scene.refuses(CommandGroup((AddProduct(**one), AddProduct(**other))), "ALREADY_EXISTS")
    scene.product("MUG-1", gtin=SHORT)
    free = ChangeProduct(scene.products["MUG-1"].id, gtin=None)
    scene.do(CommandGroup((free, AddProduct(**other))))


def test_an_organisation_has_one_transit_location(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    fields = {"code": "ROAD", "store_id": scene.shop.stores["EAST"]}
    refused = scene.refuses(AddLocation(**fields, kind="transit"), "ALREADY_EXISTS")
    assert refused.numbers == {"field": "kind"}
    place = scene.do(AddLocation(**fields))
    scene.refuses(ChangeLocation(place.id, kind="transit"), "ALREADY_EXISTS")
    transit = scene.shop.rows("SELECT id FROM location WHERE code = 'TRANSIT'")[0]["id"]
    scene.do(ChangeLocation(transit, kind="transit", priority=7))


def test_the_last_owner_stays(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    owner, key = (
        scene.shop.rows(f"SELECT id FROM {kind} WHERE role = 'owner'")[0]["id"] for kind in ("app_user", "api_key")
    )
    scene.do(ChangeUser(owner, email="ana.luz@arcoiris.example"))
    scene.do(RemoveKey(key))
    for command in (
        RemoveUser(owner),
        ChangeUser(owner, role="admin"),
        ChangeUser(owner, stores=(scene.shop.stores["EAST"],)),
    ):
        scene.refuses(command, "INVALID_STATE")
    second = {"email": "bo@arcoiris.example", "password_hash": "$argon2id$x", "role": "owner"}
    scene.refuses(
        CommandGroup((AddUser(**second, stores=(scene.shop.stores["EAST"],)), RemoveUser(owner))),
        "INVALID_STATE",
    )
    made = scene.do(CommandGroup((AddUser(**second), RemoveUser(owner))))[0]
    scene.refuses(RemoveUser(made.id), "INVALID_STATE")


def test_the_places_of_money_are_fixed_once_there_are_products(scene: Scene) -> None:
    scene.do(ChangeSettings(currency="JPY"))
    scene.product("MUG-1")
    scene.refuses(ChangeSettings(currency="USD"), "INVALID_STATE")
    scene.do(ChangeSettings(currency="KRW"))
