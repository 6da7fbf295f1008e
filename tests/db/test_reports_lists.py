"""Every list, walked page by page with every filter, is exactly what a look at all rows says, newest first.

The shop is one of `benchmarks.fill`, small; the bounds of scans are made tiny, so that every way
to find a page is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.fill import ORG, fill
from holdfast.core.records.ledger import Entry
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.db import schema
from holdfast.db.batch.rows import read_row
from holdfast.db.engine import Database
from holdfast.db.queries import as_of, ledger, lots, paging, past_levels, reservations
from holdfast.db.queries.settling import hold_as_settled
from holdfast.reports import BadCursor, Page, Reports
from tests.conftest import DATABASES
from tests.shop import quick_sqlite

NOW = 1_800_000_000_000_000
Json = dict[str, Any]


class Full:
    """A filled database and all its rows."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reports = Reports(database)
        self.levels = self._all(Level, schema.level)
        self.lots = self._all(Lot, schema.lot)
        self.lot_stocks = self._all(LotStock, schema.lot_stock)
        stored = self._all(Reservation, schema.reservation)
        self.dead = [hold for hold in stored if hold.active and hold.expires_at is not None and hold.expires_at <= NOW]
        self.holds = [hold_as_settled(hold, NOW) for hold in stored]
        self.entries = self._all(Entry, schema.ledger)
        with database.reading() as connection:
            self.sku = dict(connection.execute(sa.select(schema.product.c.id, schema.product.c.sku)).all())
            self.code = dict(connection.execute(sa.select(schema.location.c.id, schema.location.c.code)).all())
        self.lot_code = {lot.id: lot.code for lot in self.lots}
        self.product_of_level = {level.id: level.product_id for level in self.levels}

    def _all(self, struct: type[Any], table: sa.Table) -> list[Any]:
        columns = [table.c[name] for name in struct.__struct_fields__]
        with self.database.reading() as connection:
            return [read_row(struct, row) for row in connection.execute(sa.select(*columns))]

    @property
    def busiest(self) -> Level:
        """The level with the longest ledger."""
        return max(self.levels, key=lambda level: level.seq)


@pytest.fixture(scope="module", params=DATABASES)
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    """The filled shop, on each database."""
    server = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create_database()
        url = server.url(name)
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('lists') / 'holdfast.db'}"
    with quick_sqlite():
        fill(url, products=20, ledger=1_500, now=NOW)
        database = Database(url)
        yield Full(database)
        database.dispose()
    if server is not None:
        server.drop_database(name)


@pytest.fixture(params=["generous", "tiny"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Scans as bounded as they are, and so tightly that most lists go on in many short pages."""
    if request.param == "tiny":
        for module in (paging, ledger, lots):
            monkeypatch.setattr(module, "SCAN_MAX", 60)
        monkeypatch.setattr(paging.newest, "__kwdefaults__", {"scan": 60, "indexed": False})
        monkeypatch.setattr(reservations, "LEDGER_MAX", 20)
        monkeypatch.setattr(ledger, "LEVELS_MAX", 4)
        monkeypatch.setattr(past_levels, "PAST_SCAN_MAX", 7)
    name: str = request.param
    return name


def walk(read: Callable[..., Page], limit: int, **filters: Any) -> list[Json]:
    """All items of a list, page by page."""
    items: list[Json] = []
    cursor = None
    for _ in range(3_000):
        page = read(ORG, cursor=cursor, limit=limit, **filters)
        assert len(page.items) <= limit
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return items
    raise AssertionError("the list does not end")


def ids(items: list[Json]) -> list[str]:
    """The ids of items, in order."""
    return [item["id"] for item in items]


def newest_first(found: list[Any]) -> list[str]:
    """The ids of structs, newest first."""
    return sorted((one.id for one in found), reverse=True)


@pytest.mark.parametrize("limit", [7, 200])
def test_ledger(full: Full, bounds: str, limit: int) -> None:
    busy = full.busiest
    start, end = full.entries[0].created_at, NOW
    middle = start + (end - start) // 2
    lot_id = next(
        entry.lot_id for entry in full.entries if entry.level_id == busy.id and entry.reserved_delta and entry.lot_id
    )
    order = next(entry.order_number for entry in full.entries if entry.order_number)
    of_product = lambda entry: entry.product_id == busy.product_id  # noqa: E731 - a table of filters
    cases: list[tuple[Json, Callable[[Entry], bool]]] = [
        ({}, lambda _: True),
        ({"product": full.sku[busy.product_id]}, of_product),
        ({"product": busy.product_id, "ref_type": "SALE"}, lambda e: of_product(e) and e.ref_type == "SALE"),
        ({"product": busy.product_id, "actor": "nobody"}, lambda _: False),
        ({"product": busy.product_id, "from_": middle}, lambda e: of_product(e) and e.created_at >= middle),
        (
            {"product": busy.product_id, "from_": middle, "to": middle + 20 * 86_400_000_000},
            lambda e: of_product(e) and middle <= e.created_at < middle + 20 * 86_400_000_000,
        ),
        ({"location": "east"}, lambda e: full.code[e.location_id] == "EAST"),
        (
            {"location": "EAST", "product": busy.product_id},
            lambda e: full.code[e.location_id] == "EAST" and of_product(e),
        ),
        ({"location": "NOWHERE"}, lambda _: False),
        ({"product": "NOTHING"}, lambda _: False),
        ({"lot_id": lot_id}, lambda e: e.lot_id == lot_id),
        ({"lot_id": "no id"}, lambda _: False),
        ({"order_number": order}, lambda e: e.order_number == order),
        ({"ref_type": "COUNT"}, lambda e: e.ref_type == "COUNT"),
        ({"actor": "ann", "source": "etsy"}, lambda e: e.actor == "ann" and e.source == "etsy"),
        ({"to": middle}, lambda e: e.created_at < middle),
        ({"from_": middle, "actor": "bob"}, lambda e: e.created_at >= middle and e.actor == "bob"),
    ]
    for filters, wanted in cases:
        found = walk(full.reports.ledger, limit, **filters)
        matching = [entry for entry in full.entries if wanted(entry)]
        assert sorted(ids(found)) == sorted(entry.id for entry in matching), filters
        times = [item["created_at"] for item in found]
        assert times == sorted(times, reverse=True), filters


@pytest.mark.parametrize("limit", [7, 200])
def test_reservations(full: Full, bounds: str, limit: int) -> None:
    busy = full.busiest
    of_product = lambda hold: hold.product_id == busy.product_id  # noqa: E731 - a table of filters
    order = next(hold.order_number for hold in full.holds if hold.order_number)
    held = next(hold for hold in full.holds if hold.allocations)
    lot_id = held.allocations[0][0]
    cases: list[tuple[Json, Callable[[Reservation], bool]]] = [
        ({}, lambda _: True),
        ({"status": "active"}, lambda h: h.status == "active"),
        ({"status": "released"}, lambda h: h.status == "released"),
        ({"status": "consumed", "source": "pos"}, lambda h: h.status == "consumed" and h.source == "pos"),
        ({"status": "lost"}, lambda _: False),
        ({"product": full.sku[busy.product_id]}, of_product),
        ({"product": busy.product_id, "status": "released"}, lambda h: of_product(h) and h.status == "released"),
        ({"product": busy.product_id, "status": "active"}, lambda h: of_product(h) and h.status == "active"),
        ({"product": "NOTHING"}, lambda _: False),
        ({"order_number": order}, lambda h: h.order_number == order),
        (
            {"order_number": order, "product": "SKU-000003"},
            lambda h: h.order_number == order and full.sku[h.product_id] == "SKU-000003",
        ),
        ({"location": "WEST"}, lambda h: full.code[h.location_id] == "WEST"),
        (
            {"location": "WEST", "product": busy.product_id},
            lambda h: full.code[h.location_id] == "WEST" and of_product(h),
        ),
        ({"lot_id": lot_id}, lambda h: lot_id in dict(h.allocations)),
        ({"lot_id": lot_id, "status": "active"}, lambda h: lot_id in dict(h.allocations)),
        ({"reserved_for_id": "no id"}, lambda _: False),
    ]
    for filters, wanted in cases:
        found = walk(full.reports.reservations, limit, now=NOW, **filters)
        assert ids(found) == newest_first([hold for hold in full.holds if wanted(hold)]), filters


def test_a_dead_hold_is_shown_as_released(full: Full) -> None:
    dead = next(hold for hold in full.holds if hold.release_reason == "expired")
    shown = full.reports.reservation(ORG, dead.id, now=NOW)

    assert shown is not None
    assert (shown["status"], shown["release_reason"], shown["open_quantity"]) == ("released", "expired", 0)
    assert shown["allocations"] == []


@pytest.mark.parametrize("limit", [7, 200])
def test_lots(full: Full, bounds: str, limit: int) -> None:
    busy = full.busiest
    code = next(lot.code for lot in full.lots if lot.code and lot.product_id == busy.product_id)
    product = full.product_of_level
    cases: list[tuple[Json, Callable[[LotStock], bool]]] = [
        ({}, lambda _: True),
        ({"in_stock": True}, lambda at: at.on_hand > 0),
        ({"product": busy.product_id}, lambda at: product[at.level_id] == busy.product_id),
        (
            {"product": busy.product_id, "in_stock": True, "location": "EAST"},
            lambda at: (
                product[at.level_id] == busy.product_id and at.on_hand > 0 and full.code[at.location_id] == "EAST"
            ),
        ),
        ({"location": "SHOP"}, lambda at: full.code[at.location_id] == "SHOP"),
        ({"lot_code": code}, lambda at: full.lot_code[at.lot_id] == code),
        ({"lot_code": code, "product": busy.product_id}, lambda at: full.lot_code[at.lot_id] == code),
        ({"status": "quarantined"}, lambda _: False),
        ({"status": "active", "location": "TRANSIT"}, lambda _: False),
    ]
    for filters, wanted in cases:
        found = walk(full.reports.lots, limit, **filters)
        assert ids(found) == sorted((at.lot_id for at in full.lot_stocks if wanted(at)), reverse=True), filters


@pytest.mark.parametrize("limit", [7, 200])
def test_levels(full: Full, bounds: str, limit: int) -> None:
    busy = full.busiest
    sku = full.sku
    cases: list[tuple[Json, Callable[[Level], bool]]] = [
        ({}, lambda _: True),
        ({"product": sku[busy.product_id]}, lambda one: one.product_id == busy.product_id),
        ({"location": "east"}, lambda one: full.code[one.location_id] == "EAST"),
        ({"store": "s0"}, lambda one: full.code[one.location_id] == "WEST"),
        ({"search": "lamp NO."}, lambda one: int(sku[one.product_id][-6:]) % 8 == 2),
        ({"search": "%"}, lambda _: False),
        ({"search": "ü"}, lambda _: False),
        (
            {"low_stock": 15},
            lambda one: one.on_hand <= (1500 if int(sku[one.product_id][-6:]) == 7 else 15),
        ),
        ({"stores": frozenset({"nowhere"})}, lambda _: False),
    ]
    for filters, wanted in cases:
        found = walk(full.reports.levels, limit, now=NOW, **filters)
        assert ids(found) == newest_first([level for level in full.levels if wanted(level)]), filters
    flagged = ids([item for item in walk(full.reports.levels, limit, now=NOW) if item["is_low_stock"]])
    assert ids(walk(full.reports.levels, limit, low_stock=True, now=NOW)) == flagged
    assert sorted(ids(full.reports.low_stock(ORG, now=NOW))) == sorted(flagged)


@pytest.mark.parametrize("limit", [7, 200])
def test_levels_as_of_the_past_are_what_replaying_gives(full: Full, bounds: str, limit: int) -> None:
    start = min(level.created_at for level in full.levels)
    for part in (0, 1, 33, 77, 100):
        instant = start + (NOW - start) * part // 100
        past: dict[str, Entry] = {}
        for entry in sorted(full.entries, key=lambda entry: entry.seq):
            if entry.created_at <= instant:
                past[entry.level_id] = entry
        units = {level.id: past[level.id].balance_after if level.id in past else 0 for level in full.levels}
        found = walk(full.reports.levels, limit, as_of=instant)
        assert ids(found) == newest_first(full.levels)
        precise = {name for name, sku in full.sku.items() if sku == "SKU-000007"}
        for item in found:
            scale = 100 if item["product_id"] in precise else 1
            assert round(item["quantity"] * scale) == units[item["id"]]
            reserved = past[item["id"]].reserved_after if item["id"] in past else 0
            own = [hold for hold in full.dead if hold.level_id == item["id"] and hold.expires_at <= instant]
            reserved -= sum(hold.allocated for hold in own)
            assert round(item["reserved_quantity"] * scale) == reserved
        low = walk(full.reports.levels, limit, as_of=instant, low_stock=True)
        assert ids(low) == [item["id"] for item in found if item["is_low_stock"]]
    assert walk(full.reports.levels, limit, as_of=start - 1) == []


def test_the_place_in_a_ledger_at_an_instant(full: Full) -> None:
    busy = full.busiest
    entries = sorted((entry for entry in full.entries if entry.level_id == busy.id), key=lambda entry: entry.seq)
    with full.database.reading() as connection:
        for entry in entries:
            found = as_of.seq_at(connection, ORG, {busy.id: (busy.seq, entry.created_at)})
            last = max(other.seq for other in entries if other.created_at <= entry.created_at)
            assert found == {busy.id: last}
        assert as_of.seq_at(connection, ORG, {busy.id: (busy.seq, entries[0].created_at - 1)}) == {busy.id: 0}
        assert as_of.seq_at(connection, ORG, {}) == {}


@pytest.mark.parametrize("limit", [7, 200])
def test_audit_merges_both_logs(full: Full, bounds: str, limit: int) -> None:
    def count(**filters: Any) -> int:
        found = walk(full.reports.audit, limit, **filters)
        assert ids(found) == sorted(ids(found), reverse=True)
        return len(found)

    of_bob = sum(entry.actor == "bob" for entry in full.entries)
    assert count(actor="bob") == of_bob
    assert count(kind="stock", actor="bob", action="COUNT") == sum(
        entry.actor == "bob" and entry.ref_type == "COUNT" for entry in full.entries
    )
    assert count(record_id=full.busiest.id) == full.busiest.seq
    assert count(record_id="none") == 0
    middle = (full.entries[0].created_at + NOW) // 2
    late = sum(entry.created_at >= middle for entry in full.entries)
    assert count(kind="stock", from_=middle) == late
    assert count(kind="stock", to=middle) == len(full.entries) - late


def test_products_with_their_totals(full: Full) -> None:
    found = walk(full.reports.products, 7, now=NOW)
    assert [item["id"] for item in found] == sorted(full.sku, reverse=True)
    seen = walk(full.reports.levels, 200, now=NOW)
    for item in found:
        own = [level for level in seen if level["product_id"] == item["id"]]
        for total, part in (
            ("total_quantity", "quantity"),
            ("total_reserved", "reserved_quantity"),
            ("total_available", "available_quantity"),
            ("backordered", "backordered_quantity"),
        ):
            assert item[total] == pytest.approx(sum(level[part] for level in own)), (item["sku"], total)
        assert full.reports.product(ORG, item["sku"], now=NOW) == item
        summary = full.reports.product_summary(ORG, item["id"], now=NOW)
        assert summary is not None
        assert {name: summary[name] for name in ("total_quantity", "total_reserved", "total_available")} == {
            name: item[name] for name in ("total_quantity", "total_reserved", "total_available")
        }
        assert sorted(level["id"] for level in summary["locations"]) == sorted(level["id"] for level in own)


def test_figures_over_everything(full: Full) -> None:
    seen = walk(full.reports.levels, 200, now=NOW)
    stats = full.reports.inventory_stats(ORG, now=NOW)
    for total, part in (
        ("total_quantity", "quantity"),
        ("total_reserved", "reserved_quantity"),
        ("total_available", "available_quantity"),
    ):
        assert stats[total] == pytest.approx(sum(item[part] for item in seen)), total
    assert stats["total_entries"] == len(seen)
    assert stats["low_stock_count"] == sum(item["is_low_stock"] for item in seen)
    assert (stats["stores_with_inventory"], stats["unique_locations"]) == (3, 3)
    places = full.reports.locations_overview(ORG)
    assert [place["location"] for place in places] == ["EAST", "SHOP", "WEST"]
    assert sum(place["total_quantity"] for place in places) == pytest.approx(stats["total_quantity"])
    shops = full.reports.stores_overview(ORG)
    assert sum(shop["total_entries"] for shop in shops) == len(seen)
    one = full.reports.store_inventory(ORG, shops[0]["store_id"], limit=200, now=NOW)
    assert one is not None
    assert len(one["items"]) == one["total_entries"] == shops[0]["total_entries"]


def test_documents_and_records_are_listed(full: Full) -> None:
    reports = full.reports
    assert (
        len(walk(reports.counts, 200))
        == len(walk(reports.transfers, 200))
        == len(walk(reports.appointments, 200))
        == 1_000
    )
    assert walk(reports.counts, 200, status="draft") == walk(reports.transfers, 200, status="shipped") == []
    count = reports.counts(ORG, limit=1).items[0]
    assert reports.count(ORG, count["id"]) == count
    transfer = reports.transfers(ORG, limit=1).items[0]
    assert reports.transfer(ORG, transfer["id"]) == transfer
    assert reports.transfer(ORG, transfer["id"], stores=frozenset()) is None
    meeting = reports.appointments(ORG, limit=1).items[0]
    assert reports.appointment(ORG, meeting["id"]) == meeting
    assert [place["code"] for place in walk(reports.locations, 2, store="S0")] == ["TRANSIT", "WEST-QUARANTINE", "WEST"]
    assert sorted(store["code"] for store in walk(reports.stores, 2)) == ["S0", "S1", "S2"]
    west = reports.location(ORG, "west")
    assert west is not None and set(west["reorder_points"].values()) == {5}


@pytest.mark.parametrize("cursor", ["", "x", "é", "W10", "WzFd", "bnVsbA", "WyJhIiwgImIiXQ", "." * 500])
def test_a_cursor_that_was_not_given_out_is_refused(full: Full, cursor: str) -> None:
    for read in (full.reports.levels, full.reports.ledger, full.reports.lots, full.reports.events, full.reports.audit):
        with pytest.raises(BadCursor):
            read(ORG, cursor=cursor)


def test_another_organisation_sees_nothing(full: Full) -> None:
    reports, other = full.reports, "01900000-0000-7000-8000-0000000000ff"
    level = full.busiest
    for org_id in (other, "no id"):
        assert reports.levels(org_id).items == reports.ledger(org_id).items == reports.events(org_id).items == []
        assert reports.level(org_id, level.id) is reports.product(org_id, level.product_id) is None
        assert reports.settings(org_id) is reports.trace(org_id, full.lots[0].id) is None
        assert reports.low_stock(org_id) == reports.stores_overview(org_id) == []


def test_everything_is_within_reach_of_its_stores_only(full: Full) -> None:
    west = next(place for place in walk(full.reports.locations, 200) if place["code"] == "WEST")
    only = frozenset({west["store_id"]})
    for read in (full.reports.levels, full.reports.reservations, full.reports.ledger, full.reports.lots):
        assert {item["location"] for item in walk(read, 200, stores=only)} == {"WEST"}
    far = next(level for level in full.levels if full.code[level.location_id] == "EAST")
    assert full.reports.level(ORG, far.id, stores=only) is full.reports.level_key(ORG, far.id, stores=only) is None
    hold = next(hold for hold in full.holds if hold.location_id == far.location_id)
    assert full.reports.reservation(ORG, hold.id, stores=only) is None
    assert full.reports.inventory_stats(ORG, stores=only, now=NOW)["unique_locations"] == 1
