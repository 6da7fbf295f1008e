"""Digital delivery: each license key goes to one buyer, follows where the policy lets it, and is never used again."""

from __future__ import annotations

import json
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from holdfast.access import may
from holdfast.check import check
from holdfast.core.organisation.key_pool import AddLicenseKeys
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.rejection import Rejected
from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.exchange import Exchanged, ExchangedSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, ReturnSale
from holdfast.encryption import encrypted_key
from tests.core.scene import Scene
from tests.shop import Clock, Shop, open_shop, quick_sqlite


def add(shop: Shop, sku: str, *keys: str) -> Any:
    """Fill the pool of a product."""
    cipher = shop.holdfast.cipher
    return shop.ok(AddLicenseKeys(sku, tuple(encrypted_key(cipher, shop.org_id, key) for key in keys)))


def game(scene: Scene, *keys: str, sku: str = "GAME-1", **fields: Any) -> None:
    """A game that is delivered by license keys, with these in its pool."""
    scene.product(sku, price=1000, kind="digital", digital_delivery_method="license_key", **fields)
    if keys:
        add(scene.shop, sku, *keys)


def till(scene: Scene, *units: int, sku: str = "GAME-1") -> Checkout:
    """A checkout with a line for each number of units."""
    lines = tuple(LineRequest(sku, one) for one in units)
    return Checkout(scene.shop.stores["MAIN"], lines, payments=(PaymentRequest("card", f"{10 * sum(units)}.00"),))


def keys_in(scene: Scene, sale: Any) -> list[list[str]]:
    """The keys of each line of a sale, as its buyer reads them."""
    cipher, org_id = scene.shop.holdfast.cipher, scene.shop.org_id
    found = [[] if line.delivery is UNSET else line.delivery.license_keys for line in sale.lines]
    return [[cipher.decrypt(org_id, key.key) or "?" for key in own] for own in found]


def statuses(shop: Shop) -> dict[str, str]:
    """The status of each key, by its hint."""
    return {row["hint"]: row["status"] for row in shop.rows("SELECT hint, status FROM license_key")}


# Handing out ---------------------------------------------------------------------------------------------------------


def test_a_sale_gets_a_key_for_each_unit_the_oldest_first(scene: Scene) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB", "KEY-CCCC", "KEY-DDDD")

    sale = scene.do(till(scene, 2, 1))

    assert keys_in(scene, sale) == [["KEY-AAAA", "KEY-BBBB"], ["KEY-CCCC"]]
    assert statuses(scene.shop) == {"AAAA": "sold", "BBBB": "sold", "CCCC": "sold", "DDDD": "free"}
    printed = sale.receipt["lines"]
    assert [len(line["license_keys"]) for line in printed] == [2, 1]
    events = scene.events("DigitalDelivered")
    assert [(event["data"]["quantity"], event["data"]["waiting"]) for event in events] == [(2, 0), (1, 0)]
    assert "KEY-" not in json.dumps(scene.events())


def test_a_cart_gets_its_keys_when_it_is_completed(scene: Scene) -> None:
    game(scene, "KEY-AAAA")
    cart = scene.do(OpenSale(lines=(LineRequest("GAME-1", 1),)))
    assert cart.lines[0].delivery is UNSET
    assert statuses(scene.shop) == {"AAAA": "free"}

    sale = scene.do(CompleteSale(cart.id))

    assert keys_in(scene, sale) == [["KEY-AAAA"]]


@pytest.mark.parametrize("group", [False, True])
def test_the_last_key_is_sold_once(scene: Scene, group: bool) -> None:
    game(scene, "KEY-AAAA")
    if group:
        refused = scene.shop.refused(CommandGroup((till(scene, 1), till(scene, 1))))
        assert (refused.code, statuses(scene.shop)) == ("INSUFFICIENT_STOCK", {"AAAA": "free"})
    scene.do(till(scene, 1))

    refused = scene.shop.refused(till(scene, 1))

    assert refused.code == "INSUFFICIENT_STOCK"
    assert [(line["index"], line["requested"], line["available"]) for line in refused.numbers["lines"]] == [(0, 1, 0)]


def test_demand_of_two_lines_is_summed(scene: Scene) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB")
    cart = scene.do(OpenSale(lines=(LineRequest("GAME-1", 1), LineRequest("GAME-1", 2))))

    for command in (CompleteSale(cart.id), till(scene, 1, 2)):
        refused = scene.shop.refused(command)
        assert (refused.code, [line["index"] for line in refused.numbers["lines"]]) == ("INSUFFICIENT_STOCK", [1])
    assert set(statuses(scene.shop).values()) == {"free"}


def test_without_a_pool_digital_goods_are_unlimited(scene: Scene) -> None:
    game(scene)

    sale = scene.do(till(scene, 5))

    assert sale.lines[0].delivery.license_keys == []


def test_more_keys_than_were_loaded_at_first_are_found(scene: Scene) -> None:
    game(scene, *(f"KEY-{number:04d}" for number in range(100)))

    first = scene.do(CommandGroup(tuple(till(scene, 5) for _ in range(12))))
    last = scene.do(till(scene, 40))

    given_out = [key for sale in (*first, last) for line in keys_in(scene, sale) for key in line]
    assert given_out == [f"KEY-{number:04d}" for number in range(100)]
    assert scene.shop.refused(till(scene, 1)).code == "INSUFFICIENT_STOCK"
    assert scene.shop.refused(till(scene, 1001)).code == "INVALID_QUANTITY"


def test_a_download_and_a_mail_are_told_of(scene: Scene) -> None:
    link = "https://shop.example/song.flac"
    scene.product("SONG-1", price=1000, kind="digital", digital_delivery_method="download", download_url=link)
    scene.product("BOOK-1", price=1000, kind="digital", digital_delivery_method="email")

    song = scene.do(till(scene, 1, sku="SONG-1"))
    book = scene.do(till(scene, 2, sku="BOOK-1"))

    assert (song.lines[0].delivery.download_url, song.receipt["lines"][0]["download_url"]) == (link, link)
    assert (book.lines[0].delivery.method, book.lines[0].delivery.download_url) == ("email", None)
    told = [(event["data"]["method"], event["data"]["quantity"]) for event in scene.events("DigitalDelivered")]
    assert told == [("download", 1), ("email", 2)]


# Waiting -------------------------------------------------------------------------------------------------------------


def test_keys_follow_where_the_product_may_wait(scene: Scene) -> None:
    game(scene, "KEY-AAAA", oversell="backorder")
    first = scene.do(till(scene, 3))
    second = scene.do(till(scene, 1))
    assert (first.lines[0].delivery.waiting, second.lines[0].delivery.waiting) == (2, 1)

    added = add(scene.shop, "GAME-1", "KEY-BBBB", "KEY-CCCC", "KEY-AAAA")
    assert (added.added, added.known, added.delivered) == (2, 1, 2)
    assert add(scene.shop, "GAME-1", "KEY-DDDD", "KEY-EEEE").delivered == 1

    lines = {row["id"]: row for row in scene.shop.rows("SELECT id, key_ids, keys_owed FROM sale_line")}
    assert [row["keys_owed"] for row in lines.values()] == [0, 0]
    assert [len(json.loads(lines[sale.lines[0].id]["key_ids"])) for sale in (first, second)] == [3, 1]
    assert statuses(scene.shop)["EEEE"] == "free"
    told = [(event["data"]["quantity"], event["data"]["waiting"]) for event in scene.events("DigitalDelivered")]
    assert told == [(1, 2), (0, 1), (2, 0), (1, 0)]


def test_a_pre_order_waits_up_to_its_limit(scene: Scene) -> None:
    game(scene, "KEY-AAAA", oversell="preorder", preorder_limit=2)

    assert scene.shop.refused(till(scene, 4)).code == "INSUFFICIENT_STOCK"
    assert scene.do(till(scene, 3)).lines[0].delivery.waiting == 2


def test_an_order_of_a_channel_and_a_shipment_are_facts(scene: Scene) -> None:
    game(scene, "KEY-AAAA")
    scene.product("MUG-1", price=500)
    scene.given("MUG-1 MAIN A 5")
    lines = (OrderedLine("GAME-1", 2, "10.00", fulfilled=2), OrderedLine("MUG-1", 1, "5.00", fulfilled=1))
    scene.do(ImportOrder("1001", "shopify", lines))
    own = scene.do(OpenSale(lines=(LineRequest("GAME-1", 1), LineRequest("MUG-1", 1))))

    shipped = scene.do(Fulfill(own.id, (ShipLine(own.lines[1].id, 1),)))

    assert shipped.status == "completed"
    owed = scene.shop.rows("SELECT keys_owed FROM sale_line WHERE keys_owed > 0 ORDER BY id")
    assert [row["keys_owed"] for row in owed] == [1, 1]
    assert add(scene.shop, "GAME-1", "KEY-BBBB", "KEY-CCCC").delivered == 2


# Coming back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["good", "damaged", "none"])
def test_a_key_that_comes_back_is_blocked_for_good(scene: Scene, condition: str) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB")
    sale = scene.do(till(scene, 2))

    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1, condition),), "card"))

    assert statuses(scene.shop) == {"AAAA": "sold", "BBBB": "blocked"}
    assert scene.shop.refused(till(scene, 1)).code == "INSUFFICIENT_STOCK"
    assert add(scene.shop, "GAME-1", "KEY-BBBB").known == 1
    shown = scene.shop.holdfast.reports.sale(scene.shop.org_id, sale.id)
    assert [key["status"] for key in shown["lines"][0]["delivery"]["license_keys"]] == ["sold", "blocked"]
    assert len(shown["receipt"]["lines"][0]["license_keys"]) == 1


def test_units_that_still_wait_come_back_first(scene: Scene) -> None:
    game(scene, "KEY-AAAA", oversell="backorder")
    sale = scene.do(till(scene, 2))

    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "card"))

    assert statuses(scene.shop) == {"AAAA": "sold"}
    assert add(scene.shop, "GAME-1", "KEY-BBBB").delivered == 0
    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "card"))
    assert statuses(scene.shop) == {"AAAA": "blocked", "BBBB": "free"}


def test_a_shipment_that_is_taken_back_keeps_the_keys_and_a_cancelled_sale_blocks_them(scene: Scene) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB")
    scene.product("MUG-1", price=500)
    scene.given("MUG-1 MAIN A 5")
    cart = scene.do(OpenSale(lines=(LineRequest("GAME-1", 1), LineRequest("MUG-1", 1))))
    shipped = scene.do(Fulfill(cart.id, (ShipLine(cart.lines[1].id, 1),)))
    scene.do(RevertShipment(cart.id, shipped.fulfillments[0]["id"], "wrong order"))

    again = scene.do(Fulfill(cart.id, (ShipLine(cart.lines[1].id, 1),)))
    assert keys_in(scene, again)[0] == ["KEY-AAAA"]
    assert statuses(scene.shop) == {"AAAA": "sold", "BBBB": "free"}
    scene.do(RevertShipment(cart.id, again.fulfillments[0]["id"], "wrong order"))
    scene.do(CancelSale(cart.id))
    assert statuses(scene.shop) == {"AAAA": "blocked", "BBBB": "free"}


def test_an_exchange_blocks_the_key_that_came_back_and_gives_another(scene: Scene) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB")
    game(scene, "KEY-CCCC", sku="GAME-2")
    first = scene.do(till(scene, 1))
    back = Exchanged((ExchangedSale(first.id, (ReturnedLine(first.lines[0].id, 1),)),))

    swapped = scene.do(replace(till(scene, 1), payments=None, exchange=back))

    assert keys_in(scene, swapped) == [["KEY-BBBB"]]
    assert statuses(scene.shop) == {"AAAA": "blocked", "BBBB": "sold", "CCCC": "free"}
    back = Exchanged((ExchangedSale(swapped.id, (ReturnedLine(swapped.lines[0].id, 1),)),))
    cart = scene.do(OpenSale(lines=(LineRequest("GAME-2", 1),)))
    done = scene.do(CompleteSale(cart.id, exchange=back))
    assert keys_in(scene, done) == [["KEY-CCCC"]]
    assert statuses(scene.shop) == {"AAAA": "blocked", "BBBB": "blocked", "CCCC": "sold"}
    assert check(scene.shop.holdfast.database).mismatches == []


def test_an_exchange_that_is_refused_gives_and_blocks_no_key(scene: Scene) -> None:
    game(scene, "KEY-AAAA")
    first = scene.do(till(scene, 1))
    back = Exchanged((ExchangedSale(first.id, (ReturnedLine(first.lines[0].id, 1),)),))

    assert scene.shop.refused(replace(till(scene, 1), payments=None, exchange=back)).code == "INSUFFICIENT_STOCK"

    assert statuses(scene.shop) == {"AAAA": "sold"}
    assert check(scene.shop.holdfast.database).mismatches == []


def test_a_sale_that_is_paid_later_has_its_keys_at_once(scene: Scene) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB")
    cart = scene.do(OpenSale(lines=(LineRequest("GAME-1", 2),)))
    scene.do(TakePayment(cart.id, PaymentRequest("card", "5.00")))
    assert statuses(scene.shop) == {"AAAA": "free", "BBBB": "free"}
    sale = scene.do(CompleteSale(cart.id))
    assert (keys_in(scene, sale), sale.owed) == ([["KEY-AAAA", "KEY-BBBB"]], "15.00")

    paid = scene.do(TakePayment(cart.id, PaymentRequest("cash", "15.00")))
    assert (keys_in(scene, paid), paid.owed) == ([["KEY-AAAA", "KEY-BBBB"]], "0.00")
    fixed = scene.do(CorrectPayment(sale.id, paid.payments[1]["id"], "card"))
    assert keys_in(scene, fixed) == [["KEY-AAAA", "KEY-BBBB"]]
    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "card"))
    scene.do(MoneyOff(sale.id, "2.00", "late", "card"))
    assert statuses(scene.shop) == {"AAAA": "sold", "BBBB": "blocked"}
    assert check(scene.shop.holdfast.database).mismatches == []


def test_a_sale_that_is_given_up_after_a_part_was_shipped_takes_no_key(scene: Scene) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB")
    scene.product("MUG-1", price=500)
    scene.given("MUG-1 MAIN A 5")
    cart = scene.do(OpenSale(lines=(LineRequest("GAME-1", 1), LineRequest("MUG-1", 2))))
    scene.do(TakePayment(cart.id, PaymentRequest("card", "20.00")))
    scene.do(Fulfill(cart.id, (ShipLine(cart.lines[1].id, 1),)))
    done = scene.do(CancelSale(cart.id))
    assert (done.status, done.total, done.owed, statuses(scene.shop)["AAAA"]) == ("completed", "5.00", "0.00", "free")

    cart = scene.do(OpenSale(lines=(LineRequest("GAME-1", 2), LineRequest("MUG-1", 2))))
    shipped = scene.do(Fulfill(cart.id, (ShipLine(cart.lines[0].id, 1),)))
    assert keys_in(scene, shipped)[0] == ["KEY-AAAA"]
    done = scene.do(CancelSale(cart.id))
    assert (keys_in(scene, done)[0], done.total) == (["KEY-AAAA"], "10.00")
    assert statuses(scene.shop) == {"AAAA": "sold", "BBBB": "free"}
    assert check(scene.shop.holdfast.database).mismatches == []


# The pool ------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused(scene: Scene) -> None:
    shop = scene.shop
    scene.product("MUG-1")
    scene.product("SONG-1", kind="digital")
    key = (encrypted_key(shop.holdfast.cipher, shop.org_id, "KEY-AAAA"),)
    assert shop.refused(AddLicenseKeys("MUG-1", key)).code == "INVALID_STATE"
    assert shop.refused(AddLicenseKeys("SONG-1", key)).code == "INVALID_STATE"
    assert shop.refused(AddLicenseKeys("NONE-1", key)).code == "PRODUCT_NOT_FOUND"
    for fields in (
        {"digital_delivery_method": "email"},
        {"kind": "digital", "digital_delivery_method": "download"},
        {"kind": "digital", "download_url": "https://x.example"},
        {"kind": "digital", "digital_delivery_method": "download", "download_url": "ftp://x.example"},
        {"kind": "digital", "digital_delivery_method": "license_key", "precision": 2},
    ):
        assert shop.refused(AddProduct(sku="NEW-1", **fields)).code == "INVALID_REQUEST", fields
    assert shop.refused(ChangeProduct("SONG-1", digital_delivery_method="download")).code == "INVALID_REQUEST"
    assert may(shop.manager, AddLicenseKeys("x", key)) and not may(shop.staff, AddLicenseKeys("x", key))


def test_the_audit_log_tells_of_keys_and_never_one(scene: Scene) -> None:
    game(scene, "KEY-AAAA", "KEY-BBBB")

    lines = scene.shop.rows("SELECT kind, action, changes FROM audit WHERE kind = 'license_key'")

    assert [(line["action"], json.loads(line["changes"])) for line in lines] == [("add", {"added": 2})]
    for table in ("license_key", "audit", "event_batch", "answered", "sale_line", "sale"):
        assert "KEY-" not in str(scene.shop.rows(f"SELECT * FROM {table}")), table


def test_on_every_database(scene_anywhere: Scene) -> None:
    """Adding, selling, waiting, coming back: the same statements on each of them."""
    scene = scene_anywhere
    game(scene, "KEY-AAAA", "KEY-BBBB", oversell="backorder")
    first = scene.do(till(scene, 1, 2))
    assert keys_in(scene, first) == [["KEY-AAAA"], ["KEY-BBBB"]]
    assert first.lines[1].delivery.waiting == 1
    assert add(scene.shop, "GAME-1", "KEY-CCCC", "KEY-DDDD").delivered == 1
    scene.do(ReturnSale(first.id, (ReturnedLine(first.lines[0].id, 1),), "card"))
    pool = scene.shop.holdfast.reports.license_keys(scene.shop.org_id, "GAME-1")
    assert (pool["free"], pool["sold"], pool["blocked"], pool["owed"]) == (1, 2, 1, 0)
    assert [item["hint"] for item in pool["items"]] == ["DDDD", "CCCC", "BBBB", "AAAA"]
    shown = scene.shop.holdfast.reports.sale(scene.shop.org_id, first.id)
    assert len(shown["lines"][1]["delivery"]["license_keys"]) == 2
    assert check(scene.shop.holdfast.database).mismatches == []
    assert check(scene.shop.holdfast.database, org_id=scene.shop.org_id).mismatches == []


ACTS = st.lists(
    st.tuples(st.sampled_from(["add", "sell", "group", "return", "policy"]), st.integers(0, 9), st.integers(1, 4)),
    max_size=16,
)


@given(acts=ACTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sequence_gives_each_key_to_one_buyer(acts: list[tuple[str, int, int]]) -> None:
    """Keys that are out belong to one line each, none of them is used again, and who waits is served first."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Clock().running() as clock,
        quick_sqlite(),
        open_shop(f"sqlite:///{folder}/x.db") as shop,
    ):
        scene = Scene(shop, clock)
        game(scene, "KEY-0000")
        made, sold, seen = 1, [], set()
        for name, which, units in acts:
            clock.pass_(1)
            if name == "add":
                add(shop, "GAME-1", *(f"KEY-{made + index:04d}" for index in range(units)))
                made += units
            elif name == "policy":
                shop.ok(ChangeProduct("GAME-1", oversell=("deny", "backorder")[which % 2]))
            elif name == "return" and sold:
                sale = sold[which % len(sold)]
                shop.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, units),), "card"))
            elif name in ("sell", "group"):
                asked = [till(scene, units)] * (2 if name == "group" else 1)
                answer = shop.do(CommandGroup(tuple(asked), atomic=False))
                sold += [one for one in answer if not isinstance(one, Rejected) and hasattr(one, "lines")]
        rows = shop.rows("SELECT status, line_id, hint FROM license_key")
        assert len(rows) == made
        owed = shop.rows("SELECT sum(keys_owed) AS owed FROM sale_line")[0]["owed"] or 0
        assert not owed or all(row["status"] != "free" for row in rows)
        for sale in sold:
            shown = shop.holdfast.reports.sale(shop.org_id, sale.id)
            for key in shown["lines"][0]["delivery"]["license_keys"]:
                text = shop.holdfast.cipher.decrypt(shop.org_id, key["key"])
                assert text not in seen
                seen.add(text)
        assert len(seen) == sum(row["status"] != "free" for row in rows)
        assert check(shop.holdfast.database).mismatches == []
