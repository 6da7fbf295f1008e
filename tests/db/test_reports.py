"""Reads of a small shop: what time has ended is not shown as there, traces find everybody, the past stays readable."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from holdfast.core.decide import Sweep
from holdfast.core.organisation.places import ChangeLocation
from holdfast.core.organisation.products import ChangeProduct
from holdfast.core.records.number import Number
from holdfast.core.reservations.appointments import Book, ChangeAppointment
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, UnlistLevel
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from holdfast.executor import transaction
from holdfast.reports import LevelFilter, Reports
from tests.shop import DAY, SECOND, Clock, Shop, open_shop, quick_sqlite

HOUR = 3600 * SECOND


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A founded shop, on each database."""
    with quick_sqlite(), open_shop(database_url) as opened:
        yield opened


def now() -> int:
    """This instant, in microseconds."""
    return time.time_ns() // 1000


def entry(shop: Shop, sku: str, location: str, at: int | None = None) -> dict[str, Any]:
    """The inventory entry of a product at a location."""
    [found] = shop.holdfast.reports.levels(shop.org_id, product=sku, location=location, now=at).items
    return found


def figures(found: dict[str, Any]) -> tuple[Any, ...]:
    """The four quantities of an entry."""
    names = ("quantity", "reserved_quantity", "available_quantity", "backordered_quantity")
    return tuple(found[name] for name in names)


# What time has ended -------------------------------------------------------------------------------------------------


def test_a_dead_hold_is_not_reserved(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    soon = now() + HOUR
    hold = shop.ok(Reserve("MUG-1", 2, "MAIN", expires_at=soon))
    shop.ok(Reserve("MUG-1", 1, "MAIN"))
    reports = shop.holdfast.reports

    assert figures(entry(shop, "MUG-1", "MAIN", soon - 1)) == (5, 3, 2, 0)
    assert figures(entry(shop, "MUG-1", "MAIN", soon)) == (5, 1, 4, 0)
    product = reports.product(shop.org_id, "MUG-1", now=soon)
    assert product is not None
    assert (product["total_reserved"], product["total_available"]) == (1, 4)
    assert reports.inventory_stats(shop.org_id, now=soon)["total_available"] == 4
    dead = reports.reservation(shop.org_id, hold.id, now=soon)
    assert dead is not None
    assert (dead["status"], dead["release_reason"], dead["released_quantity"]) == ("released", "expired", 2)
    active = reports.reservations(shop.org_id, status="active", now=soon).items
    assert hold.id not in [one["id"] for one in active]
    assert [one["id"] for one in reports.reservations(shop.org_id, status="released", now=soon).items] == [hold.id]


def test_a_dead_hold_of_which_a_part_was_sold_is_consumed(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    soon = now() + HOUR
    hold = shop.ok(Reserve("MUG-1", 3, "MAIN", expires_at=soon))
    shop.ok(Consume(hold.id, 1))
    [dead] = shop.holdfast.reports.reservations(shop.org_id, status="consumed", now=soon).items

    assert (dead["id"], dead["status"], dead["release_reason"]) == (hold.id, "consumed", None)
    assert (dead["consumed_quantity"], dead["released_quantity"], dead["open_quantity"]) == (1, 2, 0)


def test_units_that_have_expired_are_not_available(shop: Shop) -> None:
    shop.product("MILK", track_expiry=True)
    soon = now() + HOUR
    shop.receive("MILK", 5, lot="OLD", expires_at=soon)
    shop.receive("MILK", 4, lot="NEW", expires_at=soon + DAY)

    assert figures(entry(shop, "MILK", "MAIN", soon - 1)) == (9, 0, 9, 0)
    assert figures(entry(shop, "MILK", "MAIN", soon)) == (4, 0, 4, 0)
    reports = shop.holdfast.reports
    product = reports.product(shop.org_id, "MILK", now=soon)
    assert product is not None
    assert (product["total_quantity"], product["total_available"]) == (9, 4)
    summary = reports.product_summary(shop.org_id, "MILK", now=soon)
    assert summary is not None and summary["total_quantity"] == 9
    rows = {row["location"]: (row["sellable"], *figures(row)) for row in summary["locations"]}
    assert rows == {"MAIN": (True, 4, 0, 4, 0), "MAIN-QUARANTINE": (False, 5, 0, 0, 0)}
    listed = reports.levels(shop.org_id, product="MILK", now=soon).items
    assert {row["location"]: (row["sellable"], *figures(row)) for row in listed} == rows
    stats = reports.inventory_stats(shop.org_id, now=soon)
    assert (stats["total_entries"], stats["total_quantity"], stats["total_available"]) == (2, 9, 4)
    assert [row["total_quantity"] for row in reports.stores_overview(shop.org_id, now=soon)] == [9]
    places = reports.locations_overview(shop.org_id, now=soon)
    assert [(row["location"], row["total_quantity"]) for row in places] == [("MAIN", 4), ("MAIN-QUARANTINE", 5)]
    assert [row["quantity"] for row in reports.low_stock(shop.org_id, threshold=4, now=soon)] == [4]
    assert [row["quantity"] for row in reports.levels(shop.org_id, low_stock=4, now=soon).items] == [4]
    assert reports.low_stock(shop.org_id, threshold=4, now=soon - 1) == []


def test_a_lot_that_has_just_expired_is_listed_in_quarantine(shop: Shop) -> None:
    shop.product("MILK", track_expiry=True)
    soon = now() + HOUR
    old = shop.receive("MILK", 5, lot="OLD", cost="1.00", expires_at=soon)
    shop.receive("MILK", 4, lot="NEW", expires_at=soon + DAY)
    reports = shop.holdfast.reports

    def codes(at: int, **wanted: Any) -> list[str]:
        return [row["lot_code"] for row in reports.lots(shop.org_id, now=at, **wanted).items if row["on_hand"]]

    assert codes(soon - 1, location="MAIN") == codes(soon - 1, status="active") == ["NEW", "OLD"]
    assert codes(soon, location="MAIN") == codes(soon, status="active") == ["NEW"]
    shelf = {row["lot_code"]: row["on_hand"] for row in reports.lots(shop.org_id, location="MAIN", now=soon).items}
    assert shelf == {"NEW": 4, "OLD": 0}, "a row that the sweep leaves is listed before it as after it"
    [aside] = reports.lots(shop.org_id, status="quarantined", now=soon).items
    assert codes(soon, location=aside["location"]) == ["OLD"]
    assert (aside["lot_code"], aside["on_hand"], aside["reserved"], aside["value"]) == ("OLD", 5, 0, "5.00")
    lot = reports.lot(shop.org_id, old, now=soon)
    assert lot is not None
    assert [row["location"] for row in lot["locations"]] == [aside["location"]]


def test_what_dead_holds_give_back_is_read_as_given_to_those_who_wait(shop: Shop) -> None:
    """Best priority first, whatever is left to the next: in the entry, the holds and the lot alike."""
    shop.product("LAMP-1", oversell="backorder")
    lot_id = shop.receive("LAMP-1", 5, lot="A")
    soon = now() + HOUR
    shop.ok(Reserve("LAMP-1", 5, "MAIN", Target("dead"), expires_at=soon))
    late = shop.ok(Reserve("LAMP-1", 3, "MAIN", Target("late")))
    first = shop.ok(Reserve("LAMP-1", 3, "MAIN", Target("first"), priority=1))
    reports = shop.holdfast.reports

    assert figures(entry(shop, "LAMP-1", "MAIN", soon - 1)) == (5, 5, 0, 6)
    assert figures(entry(shop, "LAMP-1", "MAIN", soon)) == (5, 5, 0, 1)
    shop.ok(Release(first.id, 1))
    assert figures(entry(shop, "LAMP-1", "MAIN", soon)) == (5, 5, 0, 0)
    for hold, units in ((first, 2), (late, 3)):
        seen = reports.reservation(shop.org_id, hold.id, now=soon)
        assert seen is not None
        assert (seen["allocated_quantity"], seen["backordered_quantity"]) == (units, 0)
        assert [part["lot_id"] for part in seen["allocations"]] == [lot_id]
    shop.ok(Release(late.id))
    assert figures(entry(shop, "LAMP-1", "MAIN", soon)) == (5, 2, 3, 0)
    [row] = reports.lots(shop.org_id, now=soon).items
    assert (row["on_hand"], row["reserved"]) == (5, 2)
    product = reports.product(shop.org_id, "LAMP-1", now=soon)
    assert product is not None
    assert (product["total_reserved"], product["total_available"], product["backordered"]) == (2, 3, 0)
    stats = reports.inventory_stats(shop.org_id, now=soon)
    assert (stats["total_reserved"], stats["total_available"], stats["total_backordered"]) == (2, 3, 0)


def test_reads_before_settling_say_what_they_say_after_it(sqlite_url: str) -> None:
    """Dead holds on expired lots, backorders that wait for them: nothing is offered that settling would not leave."""
    clock = Clock()
    with quick_sqlite(), clock.running(), open_shop(sqlite_url) as shop:
        shop.product("MILK", track_expiry=True, oversell="backorder")
        soon = clock.now + HOUR
        shop.receive("MILK", 6, lot="OLD", expires_at=soon)
        shop.receive("MILK", 5, lot="NEW", expires_at=soon + DAY)
        shop.ok(Reserve("MILK", 2, "MAIN", Target("dead"), expires_at=soon))
        shop.ok(Reserve("MILK", 1, "MAIN", Target("alive")))
        shop.ok(Reserve("MILK", 10, "MAIN", Target("dead, partly waiting"), expires_at=soon))
        shop.ok(Reserve("MILK", 2, "MAIN", Target("waiting")))
        clock.pass_(HOUR)
        before = entry(shop, "MILK", "MAIN", clock.now)
        listed = shop.holdfast.reports.reservations(shop.org_id, now=clock.now).items
        held = {one["id"]: (one["status"], one["open_quantity"]) for one in listed}
        keys = shop.holdfast.reports.due(clock.now)
        assert [pairs for _, pairs in keys] == [[(before["product_id"], shop_location(shop, "MAIN"))]]
        shop.ok(Sweep(tuple(keys[0][1])))
        after = entry(shop, "MILK", "MAIN", clock.now)
        listed = shop.holdfast.reports.reservations(shop.org_id, now=clock.now).items

        assert figures(before) == figures(after) == (5, 3, 2, 0)
        assert held == {one["id"]: (one["status"], one["open_quantity"]) for one in listed}
        assert shop.holdfast.reports.due(clock.now) == []


def shop_location(shop: Shop, code: str) -> str:
    """The id of a location."""
    found = shop.holdfast.reports.location(shop.org_id, code)
    assert found is not None
    name: str = found["id"]
    return name


# Entries --------------------------------------------------------------------------------------------------------------


def test_totals_count_what_can_be_sold_as_available_and_all_as_quantity(shop: Shop) -> None:
    shop.product("MUG-1")
    lot = shop.receive("MUG-1", 5, lot="BAD")
    shop.receive("MUG-1", 3, "EAST", lot="GOOD")
    shop.ok(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1),)))
    shop.ok(Quarantine(lot, "cracks"))
    reports = shop.holdfast.reports
    product = reports.product(shop.org_id, "MUG-1")

    assert product is not None
    assert (product["total_quantity"], product["total_available"]) == (8, 2)
    east = frozenset({shop.stores["EAST"]})
    mine = reports.product(shop.org_id, "MUG-1", stores=east)
    assert mine is not None and mine["total_quantity"] == 2
    summary = reports.product_summary(shop.org_id, product["id"])
    assert summary is not None
    rows = [(row["location"], row["quantity"]) for row in summary["locations"]]
    assert rows == [("EAST", 2), ("MAIN", 0), ("MAIN-QUARANTINE", 5), ("TRANSIT", 1)]
    assert reports.inventory_stats(shop.org_id)["total_available"] == 2


def test_an_unlimited_product_is_always_available(shop: Shop) -> None:
    shop.product("EBOOK", kind="digital")
    product = shop.holdfast.reports.product(shop.org_id, "EBOOK")

    assert product is not None
    assert (product["unlimited"], product["is_digital"], product["total_available"]) == (True, True, 999_999)
    assert product["total_quantity"] == 0


def test_low_stock_is_at_or_below_the_nearest_line(shop: Shop) -> None:
    mug = shop.product("MUG-1", reorder_point=4)
    shop.product("SALT", precision=2)
    shop.receive("MUG-1", 5)
    shop.receive("MUG-1", 5, "EAST")
    shop.receive("SALT", Decimal("1.5"))
    reports = shop.holdfast.reports

    def low(threshold: Number | None = None, store: str | None = None) -> list[tuple[str, str]]:
        filters = LevelFilter(low_stock=True if threshold is None else threshold, store=store)
        found = reports.levels(shop.org_id, filters).items
        assert sorted(item["id"] for item in found) == sorted(
            item["id"] for item in reports.low_stock(shop.org_id, threshold=threshold, store=store)
        )
        return sorted((item["sku"], item["location"]) for item in found)

    assert low() == []
    shop.ok(ChangeLocation(shop_location(shop, "EAST"), reorder_points={"MUG-1": 5}))
    assert low() == [("MUG-1", "EAST")]
    assert entry(shop, "MUG-1", "EAST")["threshold"] == 5
    shop.ok(ChangeProduct(mug.id, reorder_point=5))
    shop.ok(ChangeLocation(shop_location(shop, "EAST"), reorder_points={"MUG-1": None}))
    assert low() == [("MUG-1", "EAST"), ("MUG-1", "MAIN")]
    assert reports.inventory_stats(shop.org_id)["low_stock_count"] == 2
    assert low(threshold=Decimal("1.5")) == [("SALT", "MAIN")]
    assert low(threshold=1, store="MAIN") == []
    assert low(threshold=0) == [], "a threshold of 0 is one"


def test_the_past_keeps_what_was_deleted_since(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    then = now()
    time.sleep(0.002)
    shop.ok(SetStock("MUG-1", "MAIN", 0))
    empty = now()
    time.sleep(0.002)
    shop.ok(UnlistLevel("MUG-1", "MAIN"))
    reports = shop.holdfast.reports

    def at(instant: int) -> list[int]:
        return [item["quantity"] for item in reports.levels(shop.org_id, as_of=instant).items]

    assert (at(then), at(empty), at(then - DAY)) == ([5], [], [])
    assert reports.levels(shop.org_id).items == []
    [gone] = reports.levels(shop.org_id, as_of=then).items
    assert reports.level_key(shop.org_id, gone["id"]) is None
    assert reports.level(shop.org_id, gone["id"]) is not None


def test_a_scan_finds_its_product_by_any_length_of_gtin(shop: Shop) -> None:
    old = shop.product("MUG-0", gtin="04006381333931", active=False)
    new = shop.product("MUG-1", gtin="4006381333931")
    reports = shop.holdfast.reports
    for code in ("4006381333931", "04006381333931"):
        found = reports.product_by_code(shop.org_id, gtin=code)
        assert found is not None and found["id"] == new.id
    by_sku = reports.product_by_code(shop.org_id, gtin="123", sku="MUG-0")
    assert by_sku is not None and by_sku["id"] == old.id
    assert reports.product_by_code(shop.org_id, gtin="x", sku="NOTHING") is None


def test_a_search_takes_signs_as_they_are_and_any_case(shop: Shop) -> None:
    for sku, title in (("A_1", "100% wool"), ("AB1", "Öl für Salat"), ("C", "Mug")):
        shop.product(sku, gtin=None)
        found = shop.holdfast.reports.product(shop.org_id, sku)
        assert found is not None
        shop.ok(ChangeProduct(found["id"], title=title))

    def skus(text: str) -> list[str]:
        return sorted(item["sku"] for item in shop.holdfast.reports.products(shop.org_id, search=text).items)

    assert (skus("a_1"), skus("0%"), skus("MUG"), skus("öl"), skus("FÜR"), skus("/")) == (
        ["A_1"],
        ["A_1"],
        ["C"],
        ["AB1"],
        ["AB1"],
        [],
    )


def test_what_cannot_be_an_id_is_not_there(shop: Shop) -> None:
    reports: Reports = shop.holdfast.reports
    for name in ("", "x", "MUG-1' --", "0" * 36, "é" * 36):
        assert (
            reports.level(shop.org_id, name)
            is reports.lot(shop.org_id, name)
            is reports.user(shop.org_id, name)
            is None
        )
        assert reports.reservation(shop.org_id, name) is reports.count(shop.org_id, name) is None
        assert reports.store(shop.org_id, name) is reports.location(shop.org_id, name) is None
        assert reports.product(shop.org_id, name) is reports.trace(shop.org_id, name) is None


# Lots, orders, documents ----------------------------------------------------------------------------------------------


def test_a_lot_is_traced_to_everybody_who_has_or_had_it(shop: Shop) -> None:
    shop.product("MUG-1")
    lot = shop.receive("MUG-1", 10, lot="A7", cost="3.50")
    meeting = shop.ok(Book(now() + DAY, "Ada"))
    shop.ok(Reserve("MUG-1", 1, "MAIN", Target(reserved_for_type="appointment", reserved_for_id=meeting.id)))
    shop.ok(ChangeAppointment(meeting.id, status="completed"))
    sold = shop.ok(Reserve("MUG-1", 3, "MAIN", Target("102", "shopify")))
    shop.ok(Consume(sold.id, 1))
    shop.ok(Consume(sold.id, 1))
    dead = shop.ok(Reserve("MUG-1", 1, "MAIN", Target("103"), expires_at=now() + HOUR))
    sent = shop.ok(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 2),)))
    shop.ok(ReceiveTransfer(sent.id))
    shop.ok(AdjustStock("MUG-1", "EAST", -1, "broken"))
    trace = shop.holdfast.reports.trace(shop.org_id, lot)

    assert trace is not None
    assert (trace["lot"]["lot_code"], trace["lot"]["on_hand"], trace["lot"]["value"]) == ("A7", 6, "21.00")
    assert [(row["quantity"], row["location"]) for row in trace["received"]] == [(10, "MAIN")]
    assert [(row["location"], row["on_hand"]) for row in trace["on_hand"]] == [("EAST", 1), ("MAIN", 5)]
    held = [(row["order_number"], row["source"], row["quantity"]) for row in trace["held"]]
    assert held == [("103", "manual", 1), ("102", "shopify", 1)]
    went = [(row["order_number"], row["source"], row["customer"], row["quantity"]) for row in trace["sold"]]
    assert went == [("102", "shopify", None, 2), (None, "manual", "Ada", 1)]
    assert trace["returned"] == []
    later = shop.holdfast.reports.trace(shop.org_id, lot, now=now() + DAY)
    assert later is not None
    assert dead.id not in [row["reservation_id"] for row in later["held"]]
    abroad = shop.holdfast.reports.trace(shop.org_id, lot, stores=frozenset({shop.stores["EAST"]}))
    assert abroad is not None and abroad["sold"] == [] and abroad["lot"]["on_hand"] == 1


def test_an_order_is_traced_to_its_lots(shop: Shop) -> None:
    shop.product("MUG-1")
    first, second = shop.receive("MUG-1", 2, lot="A"), shop.receive("MUG-1", 5, lot="B")
    hold = shop.ok(Reserve("MUG-1", 4, "MAIN", Target("102", "shopify")))
    shop.ok(Consume(hold.id, 3))
    other = shop.ok(Reserve("MUG-1", 1, "MAIN", Target("102", "etsy")))
    shop.ok(Release(other.id))
    rows = shop.holdfast.reports.order_lots(shop.org_id, "102")

    assert rows is not None
    found = {row["lot_id"]: (row["lot_code"], row["source"], row["quantity"], row["sold"], row["held"]) for row in rows}
    assert found == {first: ("A", "shopify", 2, 2, 0), second: ("B", "shopify", 2, 1, 1)}
    assert shop.holdfast.reports.order_lots(shop.org_id, "unknown") is None


def test_holds_are_found_by_the_lot_that_backs_them_or_is_pinned(shop: Shop) -> None:
    shop.product("MUG-1", oversell="backorder")
    lot = shop.receive("MUG-1", 2, lot="A")
    other = shop.receive("MUG-1", 2, lot="B")
    pinned = shop.ok(Reserve("MUG-1", 3, "MAIN", lot_id=lot))
    free = shop.ok(Reserve("MUG-1", 1, "MAIN"))

    def holds(**filters: Any) -> list[str]:
        return [item["id"] for item in shop.holdfast.reports.reservations(shop.org_id, **filters).items]

    assert holds(lot_id=lot) == holds(lot_id=lot, status="active") == [pinned.id]
    assert holds(lot_id=other) == [free.id]
    shop.ok(Release(pinned.id))
    assert holds(lot_id=lot) == [pinned.id]


def test_documents_are_read_as_they_were_answered(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    reports = shop.holdfast.reports
    count = shop.ok(Count("MAIN", (CountLine("MUG-1", 4),)))
    sent = shop.ok(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 2),), "truck 7"))
    hold = shop.ok(Reserve("MUG-1", 1, "MAIN", Target("102")))

    def plain(document: Any) -> Any:
        import msgspec

        return msgspec.to_builtins(document)

    assert reports.count(shop.org_id, count.id) == plain(count)
    assert reports.transfer(shop.org_id, sent.id) == plain(sent)
    assert reports.reservation(shop.org_id, hold.id) == plain(hold)
    level = shop.ok(SetStock("MUG-1", "MAIN", 2))
    assert reports.level(shop.org_id, level.id) == plain(level)
    east = frozenset({shop.stores["EAST"]})
    assert reports.count(shop.org_id, count.id, stores=east) is None
    assert reports.transfer(shop.org_id, sent.id, stores=east) is not None
    assert [item["id"] for item in reports.transfers(shop.org_id, stores=east).items] == [sent.id]
    assert reports.counts(shop.org_id, stores=east).items == []


def test_the_audit_tells_of_records_and_of_stock(shop: Shop) -> None:
    mug = shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    shop.ok(ChangeProduct(mug.id, title="Mug"))
    newest, stock, *_ = shop.holdfast.reports.audit(shop.org_id).items

    assert (newest["kind"], newest["action"], newest["record_id"]) == ("product", "change", mug.id)
    assert newest["changes"] == {"title": "Mug"}
    assert (stock["kind"], stock["action"], stock["actor"]) == ("stock", "RECEIPT", "user:owner")
    assert stock["changes"]["qty_delta"] == 5


def test_the_ledger_is_newest_first_after_the_clock_was_set_back(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    def by_the_clock() -> uuid.UUID:
        random = uuid.uuid4().int & ((1 << 62) - 1)
        return uuid.UUID(int=(clock.now // 1000) << 80 | 7 << 76 | 2 << 62 | random)

    with quick_sqlite(), clock.running(), open_shop(sqlite_url) as shop:
        monkeypatch.setattr(transaction.uuid_utils, "uuid7", by_the_clock)
        shop.product("MUG-1")
        shop.receive("MUG-1", 10)
        for step in (HOUR, -5 * HOUR, SECOND, -HOUR, SECOND):
            clock.pass_(step)
            shop.ok(AdjustStock("MUG-1", "MAIN", 1, "found"))
        reports = shop.holdfast.reports
        balances = [item["balance_after"] for item in reports.ledger(shop.org_id).items]

        assert balances == [15, 14, 13, 12, 11, 10]
        assert balances == [item["balance_after"] for item in reports.ledger(shop.org_id, product="MUG-1").items]
        assert reports.ledger(shop.org_id, limit=1).items[0]["balance_after"] == 15
