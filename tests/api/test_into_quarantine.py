"""Expired lots before a sweep and after it: every read has their units in quarantine, with the same ids and order.

Scenes are those of `test_one_instant`, with lots that were recalled and released before, and entries in quarantine that
were taken off the lists. Most products were never in a quarantine: the entry there begins with the sweep. Lists are
read page by page, with every filter, by callers of all stores and of one, at the instant and as of instants around it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.db.organisations import organisations
from holdfast.import_export.export import export_stock
from tests.api.conftest import Shop
from tests.api.test_one_instant import HOUR_SECONDS, Json, Scene, _let_pass, _stores, _sweep, _text, _without

SCENES = 4

LIMITS = (3, 200)
"""Items of a page."""

PAST = ({}, {"search": "SKU-01"}, {"location": "MAIN-QUARANTINE"}, {"product": "SKU-00"})
"""The filters with which the past is read."""

QUARANTINES = ("MAIN-QUARANTINE", "EAST-QUARANTINE")

WRITTEN = ("created_at", "updated_at")
"""What a sweep writes down and a read before it cannot know."""


class Recalled(Scene):
    """A scene whose lots may have been in quarantine before."""

    def recall(self) -> None:
        """Take a lot off sale and bring it back; its entry in quarantine may leave the lists."""
        owner = self.shop.owner
        lot_id, _ = self.chance.choice(self.lots)
        if owner.post(f"/api/v1/inventory/lots/{lot_id}/quarantine", {"reason": "looked at"}).status != 200:
            return
        assert owner.post(f"/api/v1/inventory/lots/{lot_id}/release", {}).status == 200
        for entry in owner.get(f"/api/v1/store/inventory?product={self.sku}").json()["items"]:
            if not entry["sellable"] and not entry["quantity"] and self.chance.random() < 0.5:
                assert owner.delete(f"/api/v1/store/inventory/{entry['id']}").status == 204


def _pages(read: Callable[..., Any], org_id: str, **wanted: Any) -> dict[int, list[Json]]:
    """The items of a list by the limit that it was read with; no page is longer, none goes back."""
    found: dict[int, list[Json]] = {}
    for limit in LIMITS:
        items: list[Json] = []
        cursor = None
        while True:
            page = read(org_id, cursor=cursor, limit=limit, **wanted)
            here, cursor = (
                (page["items"], page["next_cursor"]) if isinstance(page, dict) else (page.items, page.next_cursor)
            )
            assert len(here) <= limit
            items += here
            if cursor is None:
                break
        found[limit] = [_without(item, *WRITTEN) for item in items]
    return found


def _one_list(found: dict[int, list[Json]]) -> list[Json]:
    """The list, which is the same whatever its pages."""
    [first, *others] = found.values()
    assert all(other == first for other in others)
    return first


def _stock_reads(shop: Shop, scenes: list[Scene], now: int, moments: dict[str, int]) -> Iterator[tuple[str, Any]]:
    """Every read of stock by its name."""
    reports, org_id = shop.holdfast.reports, shop.made.org_id
    stores = {item["code"]: item["id"] for item in reports.stores(org_id).items}
    callers = {"all": None, "of MAIN": frozenset({stores["MAIN"]}), "of EAST": frozenset({stores["EAST"]})}
    filters: list[Json] = [{}, {"search": "SKU-01"}, {"store": "EAST"}, {"low_stock": 3}]
    filters += [{"location": place} for place in ("MAIN", "EASTW", *QUARANTINES)]
    filters += [{"product": scene.sku} for scene in scenes] + [{"product": "SKU-00", "location": QUARANTINES[0]}]
    of_lots: list[Json] = [{}, {"in_stock": True}, {"status": "quarantined"}, {"status": "active"}, {"lot_code": "L0"}]
    of_lots += [{"location": place} for place in ("MAIN", *QUARANTINES)]
    of_lots += [{"in_stock": True, "location": QUARANTINES[0]}, {"product": "SKU-02", "in_stock": True}]
    for who, limited in callers.items():
        for wanted in filters if limited is None else PAST:
            entries = _one_list(_pages(reports.levels, org_id, stores=limited, now=now, **wanted))
            yield f"levels {who} {wanted}", entries
            for entry in entries if wanted == {} else ():
                one = reports.level(org_id, entry["id"], stores=limited, now=now)
                assert one is not None and _without(one, *WRITTEN) == entry
            for moment, at in moments.items() if wanted in PAST else ():
                then = _one_list(_pages(reports.levels, org_id, stores=limited, as_of=at, **wanted))
                # Whether an empty entry was on the lists nobody remembers.
                yield f"levels {who} {wanted} as of {moment}", [entry for entry in then if entry["quantity"]]
        for wanted in of_lots if limited is None else of_lots[:3]:
            yield f"lots {who} {wanted}", _one_list(_pages(reports.lots, org_id, stores=limited, now=now, **wanted))
        for scene in scenes:
            yield (
                f"lots of {scene.sku} {who}",
                [reports.lot(org_id, lot, stores=limited, now=now) for lot, _ in scene.lots],
            )
            summary = reports.product_summary(org_id, scene.sku, stores=limited, now=now)
            assert summary is not None
            yield f"summary {scene.sku} {who}", [_without(entry, *WRITTEN) for entry in summary["locations"]]
        yield f"products {who}", _one_list(_pages(reports.products, org_id, stores=limited, now=now))
        low = reports.low_stock(org_id, threshold=3, stores=limited, now=now)
        yield f"low {who}", [_without(entry, *WRITTEN) for entry in low]
        yield f"stats {who}", reports.inventory_stats(org_id, stores=limited, now=now)
        yield f"stores {who}", reports.stores_overview(org_id, stores=limited, now=now)
        yield f"locations {who}", reports.locations_overview(org_id, stores=limited, now=now)
    for store in stores:
        yield f"store {store}", _one_list(_pages(reports.store_inventory, org_id, store=store, now=now))
    yield "valuation", _one_list(_pages(reports.valuation, org_id, now=now))
    for moment, at in moments.items():
        yield f"valuation as of {moment}", _one_list(_pages(reports.valuation, org_id, as_of=at))
    [organisation] = organisations(shop.holdfast.database)
    yield "export", list(export_stock(shop.holdfast.database, organisation))


ROUTES = (
    "/api/v1/store/inventory",
    "/api/v1/admin/inventory",
    "/api/v1/admin/inventory/low-stock?threshold=2",
    "/api/v1/store/inventory/product/SKU-00",
    "/api/v1/products",
    "/api/v1/inventory/lots?in_stock=true",
    "/api/v1/valuation",
)


def _http_reads(shop: Shop, callers: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for who, client in callers.items():
        for route in ROUTES:
            reply = client.get(route)
            body = reply.json() if reply.headers["content-type"].endswith("json") else reply.status
            yield f"{route} {who}", _plain(body)


def _plain(body: Any) -> Any:
    """The body without what a sweep writes down."""
    if isinstance(body, dict):
        return {name: _plain(value) for name, value in body.items() if name not in (*WRITTEN, "request_id")}
    return [_plain(item) for item in body] if isinstance(body, list) else body


def _agree(reads: Json) -> None:
    """The lists of one instant tell one story: entries, lots, valuation and the past at that instant."""
    of_entries = {(row["sku"], row["location"]): row["quantity"] for row in reads["levels all {}"] if row["quantity"]}
    then = {
        (row["sku"], row["location"]): row["quantity"] for row in reads["levels all {} as of now"] if row["quantity"]
    }
    assert then == of_entries
    for name, units in (("lots all {}", "on_hand"), ("valuation", "on_hand"), ("valuation as of now", "on_hand")):
        sums: dict[tuple[str, str], int] = {}
        for row in reads[name]:
            key = (row["sku"], row["location"])
            sums[key] = sums.get(key, 0) + row[units]
        assert {key: units for key, units in sums.items() if units} == of_entries, name
    exported = {(row["sku"], row["location"]): row["quantity"] for row in reads["export"] if row["quantity"]}
    assert exported == of_entries


@pytest.mark.parametrize("seed", [2, 11])
def test_expired_units_are_read_in_quarantine_before_a_sweep_as_after_it(any_shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    _stores(any_shop)
    stores = {item["code"]: item["id"] for item in any_shop.holdfast.reports.stores(any_shop.made.org_id).items}
    callers = {"owner": any_shop.owner, "cashier of EAST": any_shop.caller("cashier", (stores["EAST"],))}
    end = int(time.time()) + HOUR_SECONDS
    scenes: list[Scene] = []
    for number in range(SCENES):
        scene = Recalled(any_shop, chance, f"SKU-{number:02}", end)
        if chance.random() < 0.6:
            scene.recall()
        line = {"product_id": scene.sku, "quantity": 2, "unit_cost": "0.30", "expires_at": _text(end)}
        place = chance.choice(["MAIN", "EASTW"])
        received = any_shop.owner.post("/api/v1/receipts", {"location": place, "lines": [line]})
        scene.lots.append((received.json()["lines"][0]["lot_id"], place))
        scenes.append(scene)
    now = _let_pass(any_shop, end)
    ended = now - 1_000
    moments = {"before": ended - 1, "the end": ended, "after": ended + 1, "now": now}

    assert any_shop.holdfast.reports.due(now), "nothing has ended"
    before = dict(_stock_reads(any_shop, scenes, now, moments)) | dict(_http_reads(any_shop, callers))
    _agree(before)
    assert before["levels all {} as of before"] != before["levels all {} as of the end"]
    _sweep(any_shop, now)
    after = dict(_stock_reads(any_shop, scenes, now, moments)) | dict(_http_reads(any_shop, callers))
    _agree(after)

    for name, read in before.items():
        assert read == after[name], name
