"""License keys under concurrency: the last one goes to one till, and nobody who waits is forgotten."""

from __future__ import annotations

import json
from collections import Counter

from holdfast.app import Holdfast
from holdfast.check import check
from holdfast.core.organisation.key_pool import AddLicenseKeys
from holdfast.core.records.rejection import Rejected
from holdfast.encryption import encrypted_key
from tests.races.stand import Tally, do, found, open_shop, rush, stock_up
from tests.races.test_sales import sell, store_of
from tests.shop import SECRET_KEY, rows


def keys(shop: Holdfast, org_id: str, first: int, count: int) -> AddLicenseKeys:
    """So many new keys of the game."""
    made = (encrypted_key(shop.cipher, org_id, f"KEY-{first + number:05d}") for number in range(count))
    return AddLicenseKeys("GAME-1", tuple(made))


def game(shop: Holdfast, oversell: str):
    """An organisation that sells a game by license keys."""
    actor = found(shop)
    method = {"kind": "digital", "digital_delivery_method": "license_key", "oversell": oversell}
    stock_up(shop, actor, "GAME-1", 0, price=100, **method)
    return actor


def assert_each_key_once(shop: Holdfast) -> None:
    """No key is in two lines, and every line has as many as it says."""
    lines = rows(shop.database, "SELECT key_ids FROM sale_line WHERE key_ids IS NOT NULL")
    told = [json.loads(row["key_ids"]) if isinstance(row["key_ids"], str) else row["key_ids"] for row in lines]
    names = [name for own in told for name in own]
    assert len(names) == len(set(names))
    assert check(shop.database).mismatches == []


def test_the_last_key_is_sold_at_one_of_two_tills(database_url):
    """Two doors to one database, sixteen threads at a barrier; again and again."""
    with open_shop(database_url, secret_key=SECRET_KEY) as one, open_shop(database_url, secret_key=SECRET_KEY) as two:
        actor = game(one, "deny")
        store = store_of(one)
        for number in range(5):
            do(one, actor, keys(one, actor.org_id, number, 1))

            tally = Tally(rush((one, two), actor, [sell(store, "GAME-1")] * 16))

            assert (tally.accepted, tally.refused, tally.failed) == (1, Counter(INSUFFICIENT_STOCK=15), [])
        assert_each_key_once(one)
        statuses = Counter(row["status"] for row in rows(one.database, "SELECT status FROM license_key"))
        assert statuses == {"sold": 5}


def test_nobody_waits_beside_a_free_key(database_url):
    """Sales that may wait, and keys that are added at the same time: in the end each sale has its key."""
    with open_shop(database_url, secret_key=SECRET_KEY) as one, open_shop(database_url, secret_key=SECRET_KEY) as two:
        actor = game(one, "backorder")
        store = store_of(one)
        do(one, actor, keys(one, actor.org_id, 0, 1))
        commands = []
        for number in range(40):
            commands += [sell(store, "GAME-1", units=2), keys(one, actor.org_id, 10 + 2 * number, 2)]

        outcomes = rush((one, two), actor, commands)

        tally = Tally(outcomes)
        assert (tally.refused, tally.failed) == (Counter(), [])
        assert not any(isinstance(answer, Rejected) for answer in tally.answers)
        assert_each_key_once(one)
        statuses = Counter(row["status"] for row in rows(one.database, "SELECT status FROM license_key"))
        assert statuses == {"sold": 80, "free": 1}
        assert rows(one.database, "SELECT id FROM sale_line WHERE keys_owed > 0") == []
