"""One instant, one answer: what time has ended is read alike everywhere, before a sweep came by and after it.

Scenes are generated: products with lots that expire, holds that end, holds that are pinned to a lot, backorders behind
them, orders and carts. All end at one instant. Every read is taken at an instant after it, then the levels are swept,
and every read is taken again for the same instant: nothing may differ but what the sweep itself has written down.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.core.decide import Sweep
from holdfast.db import schema
from holdfast.db.organisations import organisations
from holdfast.import_export.export import export_stock
from tests.api.conftest import Shop

Json = dict[str, Any]

PRODUCTS = 4
"""Scenes in one shop."""

PLACES = ("MAIN", "BACK", "EASTW")

HOUR_SECONDS = 3600
"""When the holds and lots of the scenes end, from their beginning; `_let_pass` makes it the past."""


def _text(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


class Scene:
    """One product and what was done with it."""

    def __init__(self, shop: Shop, chance: random.Random, sku: str, end: int) -> None:
        self.shop, self.chance, self.sku, self.end = shop, chance, sku, end
        self.lots: list[tuple[str, str]] = []
        self.holds: list[str] = []
        self.sales: list[str] = []
        self.pinned = False
        shop.product(sku, track_expiry=chance.random() < 0.7, oversell="backorder", price="2.00")
        steps: list[Callable[[], None]] = [self.receive, self.hold, self.hold, self.sell, self.pin]
        self.receive()
        for _ in range(chance.randrange(3, 9)):
            chance.choice(steps)()

    def receive(self) -> None:
        """Some units, half of them in a lot that is about to expire."""
        place = self.chance.choice(["MAIN", "MAIN", "BACK", "EASTW"])
        line: Json = {"product_id": self.sku, "quantity": self.chance.randrange(1, 6), "unit_cost": "1.10"}
        line["lot_code"] = f"L{len(self.lots)}"
        if self.chance.random() < 0.5:
            line["expires_at"] = _text(self.end)
        made = self._post("/api/v1/receipts", {"location": place, "lines": [line]})
        self.lots.append((made["lines"][0]["lot_id"], place))

    def hold(self, **more: Any) -> None:
        """A hold of an order; half of them are about to end."""
        body: Json = {"product_id": self.sku, "quantity": self.chance.randrange(1, 5), "location": "MAIN", **more}
        body["order_number"] = f"{self.sku}-{len(self.holds)}"
        body["priority"] = self.chance.choice([1, 100, 100])
        if self.chance.random() < 0.5:
            body["expires_at"] = _text(self.end)
        made = self._post("/api/v1/inventory-reservations", body, refused=bool(more))
        if made:
            self.holds.append(made["id"])

    def pin(self) -> None:
        """A hold that takes one lot and no other."""
        lot_id, place = self.chance.choice(self.lots)
        self.pinned = True
        self.hold(lot_id=lot_id, location=place)

    def sell(self) -> None:
        """An order of two lines, or a cart."""
        lines = [{"product_id": self.sku, "quantity": self.chance.randrange(1, 4)} for _ in range(2)]
        self.sales.append(self._post("/api/v1/sales", {"store_id": "MAIN", "lines": lines})["id"])

    def _post(self, path: str, body: Json, *, refused: bool = False) -> Json:
        reply = self.shop.owner.post(path, body)
        assert reply.status == 201 or (refused and reply.status == 409), (body, reply.json())
        made: Json = reply.json() if reply.status == 201 else {}
        return made


def _let_pass(shop: Shop, end: int) -> int:
    """Make the end of everything the present, past the product; the instant after it, in microseconds."""
    now = time.time_ns() // 1000
    with shop.holdfast.database.writing() as connection:
        for table, column in (
            (schema.reservation, schema.reservation.c.expires_at),
            (schema.lot, schema.lot.c.expires_at),
            (schema.lot_stock, schema.lot_stock.c.sellable_until),
        ):
            ended = sa.update(table).where(column == end * 1_000_000).values({column.name: now})
            assert connection.execute(ended).rowcount, table
    return now + 1_000


def _stores(shop: Shop) -> None:
    owner = shop.owner
    for path, body in (
        ("/api/v1/locations", {"store_id": "MAIN", "code": "BACK", "kind": "warehouse"}),
        ("/api/v1/stores", {"code": "EAST", "name": "East"}),
        ("/api/v1/locations", {"store_id": "EAST", "code": "EASTW", "kind": "warehouse"}),
    ):
        assert owner.post(path, body).status == 201


def _without(item: Json, *names: str) -> Json:
    return {name: value for name, value in item.items() if name not in names}


def _all(read: Callable[..., Any], org_id: str, **wanted: Any) -> list[Json]:
    items: list[Json] = []
    cursor = None
    while True:
        page = read(org_id, cursor=cursor, limit=7, **wanted)
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return items


FIGURES = ("quantity", "reserved_quantity", "available_quantity", "backordered_quantity")

WRITTEN = ("id", "created_at", "updated_at")
"""What a sweep writes down and a read before it cannot know: ids of new entries, and when."""


def _entries(rows: list[Json]) -> list[Json]:
    """Entries without what only the sweep gives; what is empty says nothing."""
    named = [_without(row, *WRITTEN) for row in rows if row["quantity"] or row["backordered_quantity"]]
    return sorted(named, key=lambda row: (row["sku"], row["location"]))


def _lots(rows: list[Json]) -> list[Json]:
    return sorted((row for row in rows if row["on_hand"]), key=lambda row: (row["id"], row["location"]))


def _reads(shop: Shop, scenes: list[Scene], now: int) -> Json:
    """Everything that a caller can read of the scenes at an instant, by what it is."""
    reports, org_id = shop.holdfast.reports, shop.made.org_id
    seen: Json = {
        "stats": reports.inventory_stats(org_id, now=now),
        "stores": reports.stores_overview(org_id, now=now),
        "locations": reports.locations_overview(org_id, now=now),
        "products": [_without(item, "updated_at") for item in _all(reports.products, org_id, now=now)],
        "low": _entries(reports.low_stock(org_id, threshold=3, now=now)),
        "active": [item["id"] for item in _all(reports.reservations, org_id, status="active", now=now)],
        "holds": [_without(item, "updated_at") for item in _all(reports.reservations, org_id, now=now)],
        "sales": [_without(item, "updated_at") for item in _all(reports.sales, org_id, now=now)],
        "lots": _lots(_all(reports.lots, org_id, in_stock=True, now=now)),
        "quarantined": _lots(_all(reports.lots, org_id, status="quarantined", now=now)),
    }
    for place in PLACES:
        seen[f"at {place}"] = [item["id"] for item in _all(reports.reservations, org_id, location=place, now=now)]
    for scene in scenes:
        summary = reports.product_summary(org_id, scene.sku, now=now)
        assert summary is not None
        seen[f"summary {scene.sku}"] = {**summary, "locations": _entries(summary["locations"])}
        seen[f"list {scene.sku}"] = _entries(_all(reports.levels, org_id, product=scene.sku, now=now))
        seen[f"lots {scene.sku}"] = _lots(_all(reports.lots, org_id, product=scene.sku, now=now))
        listed = [item["id"] for item in _all(reports.reservations, org_id, product=scene.sku, now=now)]
        for hold_id in listed:
            hold = reports.reservation(org_id, hold_id, now=now)
            seen[f"hold {scene.sku} {hold_id}"] = hold and _without(hold, "updated_at")
        for sale_id in scene.sales:
            sale = reports.sale(org_id, sale_id, now=now)
            seen[f"sale {scene.sku} {sale_id}"] = sale
            assert sale is not None
            own = _all(reports.reservations, org_id, order_number=sale["order_number"], now=now)
            seen[f"holds of {sale_id}"] = [_without(hold, "updated_at") for hold in own]
            seen[f"lots of {sale_id}"] = sorted(
                map(str, reports.order_lots(org_id, sale["order_number"], now=now) or [])
            )
        for lot_id, _ in scene.lots:
            trace = reports.trace(org_id, lot_id, now=now)
            assert trace is not None
            lot = {**trace["lot"], "locations": _lots(trace["lot"]["locations"])}
            seen[f"trace {scene.sku} {lot_id}"] = (_without(lot, "status", "received_at"), _lots(trace["on_hand"]))
            seen[f"held {scene.sku} {lot_id}"] = trace["held"]
            backed = _all(reports.reservations, org_id, lot_id=lot_id, now=now)
            seen[f"backed {scene.sku} {lot_id}"] = [hold["id"] for hold in backed]
    return seen


def _agree(shop: Shop, scenes: list[Scene], now: int) -> None:
    """The reads of one instant tell one story: totals are their entries, entries their holds and lots."""
    reports, org_id = shop.holdfast.reports, shop.made.org_id
    figures: Json = dict.fromkeys(FIGURES, 0)
    for scene in scenes:
        summary = reports.product_summary(org_id, scene.sku, now=now)
        product = reports.product(org_id, scene.sku, now=now)
        assert summary is not None and product is not None
        for total, part in (
            ("total_quantity", "quantity"),
            ("total_reserved", "reserved_quantity"),
            ("total_available", "available_quantity"),
            ("backordered", "backordered_quantity"),
        ):
            of_entries = sum(entry[part] for entry in summary["locations"])
            assert summary[total] == product[total] == of_entries, (scene.sku, total)
            figures[part] += of_entries
        holds = _all(reports.reservations, org_id, product=scene.sku, status="active", now=now)
        lots = _lots(_all(reports.lots, org_id, product=scene.sku, now=now))
        for entry in summary["locations"]:
            own = [hold for hold in holds if hold["location"] == entry["location"]]
            here = [lot for lot in lots if lot["location"] == entry["location"]]
            assert entry["reserved_quantity"] == sum(hold["allocated_quantity"] for hold in own), scene.sku
            assert entry["backordered_quantity"] == sum(hold["backordered_quantity"] for hold in own), scene.sku
            assert entry["quantity"] == sum(lot["on_hand"] for lot in here), scene.sku
            assert entry["reserved_quantity"] == sum(lot["reserved"] for lot in here), scene.sku
            for lot in here:
                parts = [
                    part["quantity"] for hold in own for part in hold["allocations"] if part["lot_id"] == lot["id"]
                ]
                assert lot["reserved"] == sum(parts), (scene.sku, lot)
        _sales_agree(shop, scene, holds, now)
    stats = reports.inventory_stats(org_id, now=now)
    for name, part in (("total_quantity", "quantity"), ("total_available", "available_quantity")):
        assert stats[name] == figures[part], name
    assert stats["total_reserved"] == figures["reserved_quantity"]
    assert stats["total_backordered"] == figures["backordered_quantity"]


def _past(shop: Shop, scenes: list[Scene], now: int) -> list[Json]:
    """The levels as of the instant, which are those that the reads of the instant show.

    A quarantine is one of the past's levels only from the sweep on that began it; and the past reckons a hold that
    waits for a certain lot as served by any.
    """
    reports, org_id = shop.holdfast.reports, shop.made.org_id
    then = _entries(_all(reports.levels, org_id, as_of=now))
    for scene in scenes:
        live = {row["location"]: row for row in _entries(_all(reports.levels, org_id, product=scene.sku, now=now))}
        for row in then:
            if row["sku"] == scene.sku:
                assert row["quantity"] == live[row["location"]]["quantity"], row
                if not scene.pinned:
                    assert row == live[row["location"]]
    return then


def _export_agrees(shop: Shop, scenes: list[Scene], now: int) -> None:
    """The export has the numbers of the entries, and the value of the lots."""
    reports, org_id = shop.holdfast.reports, shop.made.org_id
    [organisation] = organisations(shop.holdfast.database)
    rows = list(export_stock(shop.holdfast.database, organisation))
    assert [(row["sku"], row["location"]) for row in rows] == sorted({(row["sku"], row["location"]) for row in rows})
    lots = _lots(_all(reports.lots, org_id, now=now))
    for scene in scenes:
        entries = _entries(_all(reports.levels, org_id, product=scene.sku, now=now))
        own = {row["location"]: row for row in rows if row["sku"] == scene.sku}
        for entry in entries:
            row = own[entry["location"]]
            assert {name: row[name] for name in FIGURES} == {name: entry[name] for name in FIGURES}
            here = [lot for lot in lots if (lot["sku"], lot["location"]) == (scene.sku, entry["location"])]
            assert Decimal(row["value"]) == sum(Decimal(lot["value"]) for lot in here)


def _sales_agree(shop: Shop, scene: Scene, holds: list[Json], now: int) -> None:
    for sale_id in scene.sales:
        sale = shop.holdfast.reports.sale(shop.made.org_id, sale_id, now=now)
        assert sale is not None
        for line in sale["lines"]:
            own = [hold for hold in holds if hold["sale_line_id"] == line["id"]]
            assert {hold["id"] for hold in own} <= set(line["reservations"])
            assert line["backordered"] == sum(hold["backordered_quantity"] for hold in own)
            assert line["held"] == sum(hold["open_quantity"] for hold in own)


def _sweep(shop: Shop, now: int) -> None:
    while due := shop.holdfast.reports.due(now):
        for _, pairs in due:
            shop.holdfast.do(shop.made.actor, Sweep(tuple(pairs)))


@pytest.mark.parametrize("seed", [1, 6, 28, 135])
def test_every_read_of_an_instant_says_the_same_before_a_sweep_and_after_it(any_shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    _stores(any_shop)
    end = int(time.time()) + HOUR_SECONDS
    scenes = [Scene(any_shop, chance, f"SKU-{number:02}", end) for number in range(PRODUCTS)]
    now = _let_pass(any_shop, end)

    assert any_shop.holdfast.reports.due(now), "nothing has ended"
    _agree(any_shop, scenes, now)
    before = _reads(any_shop, scenes, now)
    past = _past(any_shop, scenes, now)
    _export_agrees(any_shop, scenes, now)
    _sweep(any_shop, now)
    after = _reads(any_shop, scenes, now)
    _agree(any_shop, scenes, now)

    for name, read in before.items():
        assert read == after[name], name
    assert past == _past(any_shop, scenes, now), "the past has changed"


def test_a_hold_that_a_sweep_will_make_is_shown_before_it_and_has_its_units(any_shop: Shop) -> None:
    """EAST's two units were held until now; the sale that waits at MAIN has them with that instant."""
    owner, reports, org_id = any_shop.owner, any_shop.holdfast.reports, any_shop.made.org_id
    _stores(any_shop)
    any_shop.product("MUG-1", oversell="backorder", price="2.00")
    end = int(time.time()) + HOUR_SECONDS
    for place, units in (("EASTW", 2), ("MAIN", 1)):
        lines = [{"product_id": "MUG-1", "quantity": units, "unit_cost": "1.10"}]
        assert owner.post("/api/v1/receipts", {"location": place, "lines": lines}).status == 201
    body = {"product_id": "MUG-1", "quantity": 2, "order_number": "FIRST", "location": "EASTW"}
    assert owner.post("/api/v1/inventory-reservations", {**body, "expires_at": _text(end)}).status == 201
    sale = owner.post("/api/v1/sales", {"lines": [{"product_id": "MUG-1", "quantity": 4}]}).json()
    with any_shop.holdfast.database.writing() as connection:
        until = schema.reservation.c.expires_at
        ended = sa.update(schema.reservation).where(until == end * 1_000_000).values(expires_at=1)
        assert connection.execute(ended).rowcount == 1

    now = time.time_ns() // 1000
    [made] = reports.reservations(org_id, location="EASTW", status="active", now=now).items
    assert (made["quantity"], made["allocated_quantity"], made["order_number"]) == (2, 2, sale["order_number"])
    assert reports.reservation(org_id, made["id"], now=now) == made
    read = reports.sale(org_id, sale["id"], now=now)
    assert read is not None and made["id"] in read["lines"][0]["reservations"]
    [entry] = reports.levels(org_id, product="MUG-1", location="EASTW", now=now).items
    assert (entry["reserved_quantity"], entry["available_quantity"]) == (2, 0)

    late = owner.post("/api/v1/inventory-reservations", {**body, "order_number": "LATE", "quantity": 1}).json()
    assert (late["allocated_quantity"], late["backordered_quantity"]) == (0, 1), "it has overtaken the sale"
    [kept] = [
        item
        for item in reports.reservations(org_id, location="EASTW", status="active").items
        if item["id"] != late["id"]
    ]
    assert kept["id"] == made["id"] and kept["allocated_quantity"] == 2
