"""API keys: narrowed to permissions and addresses, expiring, rolled, and what is seen of them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
import structlog

from holdfast.access import Actor, Permission, Role
from holdfast.app import Forbidden
from holdfast.core.organisation.keys import AddKey, ChangeKey, RemoveKey, RollKey
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.time import instant_text
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db import key_notes, schema
from holdfast.tokens import digest_of
from holdfast.web.api import ROUTES
from holdfast.web.http.callers import CALLER_STREAMS_MAX, Callers
from holdfast.web.http.problems import Problem
from tests.api.client import Client
from tests.api.conftest import Shop, opened_at
from tests.api.test_access import AT_THE_TILL, NIL

KEYS = "/api/v1/api-keys"
HOUR = 3_600_000_000


def _made(shop: Shop, role: str = "owner", **fields: Any) -> dict[str, Any]:
    answer = shop.owner.post(KEYS, {"role": role, **fields})
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.json()
    return made


def _caller(shop: Shop, role: str = "owner", **fields: Any) -> Client:
    return shop.owner.using(_made(shop, role, **fields)["api_key"])


def _set(shop: Shop, key_id: str, **columns: Any) -> None:
    """Write columns of a key as time would leave them."""
    table = schema.api_key
    with shop.holdfast.database.engine.begin() as connection:
        connection.execute(sa.update(table).where(table.c.id == key_id).values(**columns))
    shop.application.auth._keys.forget_all()


def _wait(shop: Shop, seconds: float) -> None:
    """Let the server's loop run for a while."""
    shop.owner.runner.run(asyncio.sleep(seconds))


def _wait_for_notes(shop: Shop) -> None:
    """Let the server's loop run until what is noted of keys is written."""
    for _ in range(600):
        if shop.application.auth._notes._timer is None:
            return
        _wait(shop, 0.05)
    raise AssertionError("the notes are not written")


# Permissions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", list(Permission))
def test_a_narrowed_key_may_do_what_it_names_and_nothing_else(shop: Shop, permission: Permission) -> None:
    """Over all routes, as they are declared."""
    caller = _caller(shop, permissions=[permission])
    for route in ROUTES:
        if f"{route.method} {route.path}" in AT_THE_TILL:
            continue
        body = None if route.method == "GET" else ["wrong"]
        answer = caller.request(route.method, re.sub(r"\{\w+\}", NIL, route.path), body)

        allowed = route.permission in (None, permission)
        if allowed and route.path.startswith("/api/v1/me/"):  # for people alone
            continue
        assert (route.name, answer.status == 403) == (route.name, not allowed), answer
        assert answer.status < 500 and answer.status != 401
        if not allowed:
            assert answer.json()["detail"] == f"This key may not do this: it needs {route.permission}."


def test_a_key_of_all_permissions_of_its_role_is_the_role(shop: Shop) -> None:
    for role in ("cashier", "staff", "manager"):
        actor = Actor("o", "x", Role(role))
        names = [one.value for one in Permission if actor.has(one)]
        wide, named = _caller(shop, role), _caller(shop, role, permissions=names)
        for route in ROUTES:
            path, body = re.sub(r"\{\w+\}", NIL, route.path), None if route.method == "GET" else ["wrong"]
            answers = [caller.request(route.method, path, body).status for caller in (wide, named)]
            assert answers[0] == answers[1], route.name


def test_the_core_obeys_what_a_key_is_narrowed_to(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 1, price="9.90")
    hold = {"product_id": "MUG-1", "quantity": 3, "order_number": "1", "override": True}
    reserve, override = Permission.RESERVE.value, Permission.OVERRIDE.value

    refused = _caller(shop, "manager", permissions=[reserve]).post("/api/v1/inventory-reservations", hold)
    done = _caller(shop, "manager", permissions=[reserve, override]).post("/api/v1/inventory-reservations", hold)

    assert (refused.status, refused.code) == (409, "INSUFFICIENT_STOCK")
    assert done.status == 201
    shop.product("TEE-1", 5, price="9.90")
    sale = {"lines": [{"product_id": "TEE-1", "quantity": 1, "unit_price": "1.00"}]}
    seller = _caller(shop, "manager", permissions=["sales:create"])
    assert seller.post("/api/v1/sales", sale).code == "PRICE_MISMATCH"
    assert seller.get("/api/v1/products").status == 403
    priced = _caller(shop, "manager", permissions=["sales:create", "prices:override"])
    assert priced.post("/api/v1/sales", sale).status == 201


def test_a_route_that_gives_a_stronger_command_needs_both(shop: Shop) -> None:
    """An administrator's route that adjusts stock is no way around the permission to adjust it."""
    shop.product("MUG-1", 1)
    body = {"product_id": "MUG-1", "location": "MAIN", "quantity": 5, "store_id": "MAIN"}

    for names, status in ((["inventory:manage"], 403), (["inventory:manage", "inventory:adjust"], 200)):
        answer = _caller(shop, permissions=names).post("/api/v1/admin/inventory/set", body)
        assert answer.status == status, answer


def test_costs_need_the_permission_to_manage(shop: Shop) -> None:
    shop.product("MUG-1", 2)

    for names, seen in ((["stock:read"], None), (["stock:read", "inventory:manage"], "3.50")):
        lot = _caller(shop, permissions=names).get("/api/v1/inventory/lots").json()["items"][0]
        assert lot["unit_cost"] == seen


def test_a_group_needs_the_permissions_of_all_its_members(shop: Shop) -> None:
    """Also where they are of one rank: the highest of them is not enough."""
    shop.product("MUG-1", 5)
    reserve = Reserve("MUG-1", 1, "MAIN", Target("1"))
    receive = Receive("MAIN", (ReceiptLine("MUG-1", 1, "1.00"),))
    for one in Permission.RESERVE, Permission.STOCK:
        actor = Actor(shop.made.org_id, "key:x", Role.OWNER, permissions=frozenset({one}))
        for commands in ((reserve, receive), (receive, reserve)):
            with pytest.raises(Forbidden, match="This key may not do this: it needs inventory"):
                shop.holdfast.do(actor, CommandGroup(commands))
    both = Actor(shop.made.org_id, "key:x", Role.STAFF, permissions=frozenset({Permission.RESERVE, Permission.STOCK}))
    assert not isinstance(shop.holdfast.do(both, CommandGroup((reserve, receive))).answer, Rejected)


def test_a_till_that_a_narrowed_key_opened_is_narrowed(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90")
    shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "TILL-1"})
    made = _made(shop, "manager", permissions=["sales:create"])
    opened = shop.owner.using(made["api_key"]).post("/api/v1/registers/TILL-1/sessions", {"opening_float": "1.00"})
    headers = {"Authorization": f"Register {opened.json()['token']}"}
    line = {"product_id": "MUG-1", "quantity": 1, "unit_price": "1.00"}
    body = {"store_id": "MAIN", "lines": [line], "payments": [{"method": "card", "amount": "1.00"}]}

    assert shop.anonymous.post("/api/v1/pos/checkout", body, headers=headers).code == "PRICE_MISMATCH"
    assert shop.anonymous.get("/api/v1/products", headers=headers).status == 403
    assert shop.anonymous.get("/api/v1/pos/session", headers=headers).json()["expected_cash"] is None
    _set(shop, made["id"], expires_at=time.time_ns() // 1000 - 1)
    shop.application.auth.forget_tills()
    assert shop.anonymous.get("/api/v1/pos/session", headers=headers).status == 401
    _set(shop, made["id"], expires_at=None, addresses=["10.0.0.0/8"])
    shop.application.auth.forget_tills()
    assert shop.anonymous.get("/api/v1/pos/session", headers=headers).status == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"permissions": ["stock:fly"]}, "permissions.0"),
        ({"permissions": []}, "permissions"),
        ({"permissions": "stock:read"}, "permissions"),
        ({"role": "cashier", "permissions": ["stock:read", "inventory:adjust"]}, "permissions"),
        ({"addresses": []}, "addresses"),
        ({"addresses": ["203.0.113.0/24", "203.0.113.9/24"]}, "addresses.1"),
        ({"addresses": ["example.com"]}, "addresses.0"),
        ({"addresses": ["10.0.0.0/33"]}, "addresses.0"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_what_a_key_cannot_be_names_its_field(shop: Shop, body: dict[str, Any], field: str) -> None:
    known = _made(shop, "cashier")

    for answer in (
        shop.owner.post(KEYS, {"role": "staff", **body}),
        shop.owner.patch(f"{KEYS}/{known['id']}", body),
    ):
        assert answer.status == 400, answer
        assert answer.json()["field"] == field


def test_a_role_that_has_less_is_refused_while_permissions_name_more(shop: Shop) -> None:
    known = _made(shop, "staff", permissions=["inventory:adjust", "stock:read", "stock:read"])
    assert known["permissions"] == ["stock:read", "inventory:adjust"]
    one = f"{KEYS}/{known['id']}"

    assert shop.owner.patch(one, {"role": "cashier"}).status == 400
    changed = shop.owner.patch(one, {"role": "cashier", "permissions": None})
    assert (changed.status, changed.json()["permissions"]) == (200, None)


# Granting ------------------------------------------------------------------------------------------------------------


def test_nobody_gives_permissions_that_they_do_not_have(any_shop: Shop) -> None:
    shop = any_shop
    caller = _caller(shop, "admin", permissions=["organisation:configure", "stock:read"])
    wide = _made(shop, "staff")
    narrow = _made(shop, "cashier", permissions=["stock:read"])

    for body, status in (
        ({"role": "cashier"}, 403),
        ({"role": "cashier", "permissions": ["stock:read", "sales:create"]}, 403),
        ({"role": "owner", "permissions": ["stock:read"]}, 403),
        ({"role": "cashier", "permissions": ["stock:read"]}, 201),
        ({"role": "admin", "permissions": ["organisation:configure"]}, 201),
    ):
        assert caller.post(KEYS, body).status == status, body
    user = {"email": "bo@shop.example", "password": "correct horse", "role": "cashier"}
    assert caller.post("/api/v1/users", user).status == 403
    for key, status in ((wide, 403), (narrow, 200)):
        one = f"{KEYS}/{key['id']}"
        assert caller.patch(one, {"name": "mine"}).status == status
        assert caller.post(f"{one}/roll").status == status
    assert caller.patch(f"{KEYS}/{narrow['id']}", {"permissions": None}).status == 403
    assert caller.delete(f"{KEYS}/{wide['id']}").status == 403
    assert caller.delete(f"{KEYS}/{narrow['id']}").status == 204


def test_the_python_door_gives_no_more_than_the_actor_has(any_shop: Shop) -> None:
    """What the routes refuse, the core refuses: role, stores, permissions."""
    shop = any_shop
    owner = shop.made.key_id
    admin = Actor(shop.made.org_id, "key:admin", Role.ADMIN)
    limited = Actor(shop.made.org_id, "key:admin", Role.ADMIN, (shop.made.store_id,))
    narrow = Actor(shop.made.org_id, "key:n", Role.ADMIN, permissions=frozenset({Permission.CONFIGURE}))
    known = shop.holdfast.do(admin, AddKey(name="k", role="staff", key_hash="1" * 64)).answer.id

    for actor, command in (
        (admin, AddKey(name="k", role="owner", key_hash="0" * 64)),
        (admin, ChangeKey(owner, name="mine")),
        (admin, ChangeKey(known, role="owner")),
        (admin, RollKey(key_id=owner, key_hash="0" * 64)),
        (admin, RemoveKey(owner)),
        (limited, AddKey(name="k", role="staff", key_hash="0" * 64)),
        (limited, ChangeKey(known, stores=("MAIN",))),
        (limited, RollKey(key_id=known, key_hash="0" * 64)),
        (narrow, AddKey(name="k", role="cashier", key_hash="0" * 64)),
        (narrow, ChangeKey(known, permissions=(Permission.CONFIGURE,))),
        (narrow, RemoveKey(known)),
    ):
        answer = shop.holdfast.do(actor, command).answer
        assert isinstance(answer, Rejected) and answer.code == "FORBIDDEN", command


def test_a_narrowed_owner_is_no_owner_to_leave_behind(any_shop: Shop) -> None:
    shop = any_shop
    user, first = f"/api/v1/users/{shop.made.user_id}", f"{KEYS}/{shop.made.key_id}"
    later = instant_text(time.time_ns() // 1000 + HOUR)
    for fields in ({"permissions": ["organisation:configure"]}, {"addresses": ["10.0.0.0/8"]}, {"expires_at": later}):
        _made(shop, "owner", **fields)
    assert shop.owner.delete(user).status == 204  # the first key is an owner without bounds

    for fields in ({"expires_at": later}, {"permissions": ["stock:read"]}, {"addresses": ["10.0.0.0/8"]}):
        assert shop.owner.patch(first, fields).code == "INVALID_STATE", fields
    assert shop.owner.delete(first).code == "INVALID_STATE"
    assert shop.owner.patch(first, {"name": "head office"}).status == 200


# Expiry --------------------------------------------------------------------------------------------------------------


def test_an_expired_key_is_dead_within_a_second(any_shop: Shop) -> None:
    shop = any_shop
    at = time.time_ns() // 1000 + 1_500_000
    made = _made(shop, "staff", expires_at=instant_text(at))
    caller = shop.owner.using(made["api_key"])
    assert made["expires_at"] == instant_text(at)
    assert caller.get("/api/v1/products").status == 200

    time.sleep(max(0.0, at / 1e6 - time.time()) + 0.3)
    expired = caller.get("/api/v1/products")

    assert (expired.status, expired.json()["detail"]) == (401, "The API key has expired.")
    assert expired.headers["www-authenticate"].startswith("Bearer")
    assert shop.owner.post(f"{KEYS}/{made['id']}/roll").code == "INVALID_STATE"
    assert shop.owner.patch(f"{KEYS}/{made['id']}", {"expires_at": None}).json()["expires_at"] is None
    time.sleep(1)
    assert caller.get("/api/v1/products").status == 200


# Rolling -------------------------------------------------------------------------------------------------------------


def test_a_rolled_key_has_two_secrets_until_the_overlap_ends(any_shop: Shop) -> None:
    shop = any_shop
    made = _made(shop, "staff", name="pos")
    one = f"{KEYS}/{made['id']}"
    assert made["hint"] == made["api_key"][-4:] and made["previous"] is None

    rolled = shop.owner.post(f"{one}/roll", {"overlap_hours": 2}).json()

    assert rolled["id"] == made["id"] and rolled["hint"] == rolled["api_key"][-4:]
    shown = shop.owner.get(one).json()
    assert "api_key" not in shown and shown["previous"]["hint"] == made["hint"]
    until = shown["previous"]["until"]
    assert instant_text(time.time_ns() // 1000 + HOUR) < until < instant_text(time.time_ns() // 1000 + 2 * HOUR + HOUR)
    old, new = shop.owner.using(made["api_key"]), shop.owner.using(rolled["api_key"])
    assert [caller.get("/api/v1/products").status for caller in (old, new)] == [200, 200]

    _set(shop, made["id"], previous_until=time.time_ns() // 1000 - 1)
    gone = old.get("/api/v1/products")
    assert (gone.status, gone.json()["detail"]) == (401, "The API key has expired.")
    assert new.get("/api/v1/products").status == 200


def test_a_key_has_two_secrets_at_most(any_shop: Shop) -> None:
    shop = any_shop
    made = _made(shop, "staff")
    one = f"{KEYS}/{made['id']}/roll"
    second, third = shop.owner.post(one).json(), shop.owner.post(one).json()

    def statuses() -> list[int]:
        shop.application.auth._keys.forget_all()
        secrets = [made["api_key"], second["api_key"], third["api_key"]]
        return [shop.owner.using(secret).get("/api/v1/products").status for secret in secrets]

    assert statuses() == [401, 200, 200]
    last = shop.owner.post(one, {"overlap_hours": 0}).json()
    assert last["previous"] is None
    assert statuses() == [401, 401, 401]
    assert shop.owner.using(last["api_key"]).get("/api/v1/products").status == 200
    assert shop.owner.delete(f"{KEYS}/{made['id']}").status == 204
    shop.application.auth._keys.forget_all()
    assert shop.owner.using(last["api_key"]).get("/api/v1/products").status == 401


def test_a_replay_does_not_tell_the_secret_again(shop: Shop) -> None:
    made = _made(shop, "staff")
    asked = {"path": f"{KEYS}/{made['id']}/roll", "headers": {"Idempotency-Key": "roll-1"}}

    first, again = shop.owner.post(**asked), shop.owner.post(**asked)

    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == {**first.json(), "api_key": None}
    assert shop.owner.using(first.json()["api_key"]).get("/api/v1/products").status == 200


@pytest.mark.parametrize("hours", [-1, 721, 1.5, "2", None])
def test_an_overlap_is_at_most_thirty_days(shop: Shop, hours: Any) -> None:
    made = _made(shop, "staff")

    answer = shop.owner.post(f"{KEYS}/{made['id']}/roll", {"overlap_hours": hours})

    assert (answer.status, answer.json()["field"]) == (400, "overlap_hours")
    assert shop.owner.post(f"{KEYS}/{NIL}/roll").status == 404


def test_secrets_are_nowhere_but_in_the_answer(any_shop: Shop) -> None:
    shop = any_shop
    with structlog.testing.capture_logs() as logs:
        made = _made(shop, "staff", addresses=["10.0.0.0/8"])
        rolled = shop.owner.post(f"{KEYS}/{made['id']}/roll").json()
        for key in (made, rolled):
            assert shop.owner.using(key["api_key"]).get("/api/v1/products").status == 403
        _wait_for_notes(shop)
    secrets = [text for key in (made, rolled) for text in (key["api_key"], digest_of(key["api_key"]))]
    told = [shop.owner.get(path).content.decode() for path in (KEYS, "/api/v1/audit", "/api/v1/events")]
    told += [repr(logs)]
    for secret in secrets:
        assert not any(secret in text for text in told)
    audit = shop.owner.get("/api/v1/audit").json()["items"]
    changes = [entry["changes"] for entry in audit if entry["record_id"] == made["id"] and entry["action"] == "change"]
    assert changes[0]["key_hash"] == changes[0]["previous_hash"] == "(secret)"


# Addresses -----------------------------------------------------------------------------------------------------------


@contextmanager
def _from(monkeypatch: pytest.MonkeyPatch, address: str | None) -> Iterator[None]:
    """Requests come from that address while the block runs."""
    with monkeypatch.context() as patched:
        patched.setattr("holdfast.web.identity.security_log.client_of", lambda _: address)
        yield


def test_a_key_is_used_from_its_addresses_alone(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = any_shop
    made = _made(shop, "staff", addresses=["203.0.113.0/24", "198.51.100.7", "2001:db8::/32"])
    assert made["addresses"] == ["203.0.113.0/24", "198.51.100.7/32", "2001:db8::/32"]
    caller = shop.owner.using(made["api_key"])
    for address, status in (
        ("203.0.113.9", 200),
        ("198.51.100.7", 200),
        ("::ffff:203.0.113.9", 200),
        ("2001:db8::1", 200),
        ("198.51.100.8", 403),
        ("2001:db9::1", 403),
        ("unix:", 403),
        (None, 403),
    ):
        with _from(monkeypatch, address):
            answer = caller.get("/api/v1/products", headers={"X-Forwarded-For": "203.0.113.9"})
        assert answer.status == status, address
    assert answer.json()["detail"] == "The API key may not be used from this address."
    with _from(monkeypatch, "198.51.100.8"):
        assert caller.get("/admin/inventory", headers={"Accept": "text/html"}).status == 403
        assert shop.owner.get("/api/v1/products").status == 200


@pytest.mark.parametrize("bound", [{"expires_at": "2091-01-31T12:00:00Z"}, {"addresses": ["127.0.0.1/32"]}])
def test_a_key_with_bounds_gives_nobody_a_way_without_them(any_shop: Shop, bound: dict[str, Any]) -> None:
    shop = any_shop
    made = _made(shop, "admin", **bound)
    caller, own = shop.owner.using(made["api_key"]), f"{KEYS}/{made['id']}"
    eve = {"email": "eve@arco.example", "password": "correct horse", "role": "staff"}

    for refused in (
        caller.patch(own, {"expires_at": None, "addresses": None}),
        caller.post(KEYS, {"name": "child", "role": "admin"}),
        caller.post(f"{KEYS}/{_made(shop, 'staff')['id']}/roll", {"overlap_hours": 0}),
        caller.post("/api/v1/users", eve),
    ):
        assert (refused.status, refused.code) == (403, "FORBIDDEN")
    rolled = caller.post(f"{own}/roll", {"overlap_hours": 1})
    assert rolled.status == 200
    assert {name: rolled.json()[name] for name in bound} == {name: made[name] for name in bound}


def test_a_till_stays_where_the_key_was_that_opened_it(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever revokes the key does not let the till go where it could not go before."""
    shop = any_shop
    made = _made(shop, "manager", addresses=["203.0.113.0/24"])
    place = shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "T1"}).json()["id"]
    user = {"email": "bo@arco.example", "password": "correct horse", "role": "cashier", "pin": "4711"}
    assert shop.owner.post("/api/v1/users", user).status == 201
    with _from(monkeypatch, "203.0.113.9"):
        path = f"/api/v1/registers/{place}/sessions"
        token = shop.owner.using(made["api_key"]).post(path, {"opening_float": "1.00"}).json()["token"]
    assert shop.owner.delete(f"{KEYS}/{made['id']}").status == 204
    time.sleep(0.6)

    headers = {"Authorization": f"Register {token}", "X-Cashier-Pin": "4711"}
    for address, status in (("203.0.113.9", 200), ("198.51.100.8", 403)):
        with _from(monkeypatch, address):
            assert shop.anonymous.get("/api/v1/pos/session", headers=headers).status == status


def test_a_pin_gives_a_till_no_more_than_its_key(any_shop: Shop) -> None:
    """A manager's PIN at a till of a key that may only sell: no reading of the catalogue, no price of one's own."""
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90")
    made = _made(shop, "cashier", permissions=["sales:create"])
    user = {"email": "bo@arco.example", "password": "correct horse", "role": "manager", "pin": "471147"}
    assert shop.owner.post("/api/v1/users", user).status == 201
    assert shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "T1"}).status == 201
    opening = {"opening_float": "1.00", "pin": "471147"}
    opened = shop.owner.using(made["api_key"]).post("/api/v1/registers/T1/sessions", opening)
    till = {"Authorization": f"Register {opened.json()['token']}"}
    line = {"product_id": "MUG-1", "quantity": 1, "unit_price": "1.00"}
    body = {"store_id": "MAIN", "lines": [line], "payments": [{"method": "card", "amount": "1.00"}]}

    for headers in (till, {**till, "X-Cashier-Pin": "471147"}):
        assert shop.anonymous.get("/api/v1/pos/session", headers=headers).status == 200
        assert shop.anonymous.get("/api/v1/products", headers=headers).status == 403
        assert shop.anonymous.post("/api/v1/pos/checkout", body, headers=headers).code == "PRICE_MISMATCH"
    east = shop.owner.post("/api/v1/stores", {"code": "EAST", "name": "East"}).json()["id"]
    assert shop.owner.patch(f"{KEYS}/{made['id']}", {"stores": [east]}).status == 200
    shop.application.auth.forget_tills()
    assert shop.anonymous.get("/api/v1/pos/session", headers=till).status == 403


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_till_ends_with_the_secret_that_opened_it(any_shop: Shop, overlap: int) -> None:
    """A key that has leaked is rolled: whoever has the old secret does not go on at the tills that it had opened."""
    shop = any_shop
    made = _made(shop, "manager")
    for code in ("T1", "T2"):
        assert shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": code}).status == 201

    def opened(key: str, code: str) -> dict[str, str]:
        answer = shop.owner.using(key).post(f"/api/v1/registers/{code}/sessions", {"opening_float": "1.00"})
        return {"Authorization": f"Register {answer.json()['token']}"}

    old = opened(made["api_key"], "T1")
    rolled = shop.owner.post(f"{KEYS}/{made['id']}/roll", {"overlap_hours": overlap}).json()
    shop.application.auth.forget_tills()
    assert shop.anonymous.get("/api/v1/pos/session", headers=old).status == (200 if overlap else 401)
    new = opened(rolled["api_key"], "T2")
    assert shop.anonymous.get("/api/v1/pos/session", headers=new).status == 200
    if overlap:
        _set(shop, made["id"], sessions_from=time.time_ns() // 1000)
        shop.application.auth.forget_tills()
        assert shop.anonymous.get("/api/v1/pos/session", headers=old).status == 401


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_a_pin_does_not_make_a_till_outlive_its_key(any_shop: Shop, end: str) -> None:
    """Nor a second till that was opened at the first one: when the key has ended, each act needs a PIN."""
    shop = any_shop
    made = _made(shop, "manager")
    user = {"email": "bo@arco.example", "password": "correct horse", "role": "manager", "pin": "471147"}
    assert shop.owner.post("/api/v1/users", user).status == 201
    for code in ("T1", "T2"):
        assert shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": code}).status == 201
    opening = {"opening_float": "1.00", "pin": "471147"}
    opened = shop.owner.using(made["api_key"]).post("/api/v1/registers/T1/sessions", opening)
    first = {"Authorization": f"Register {opened.json()['token']}"}
    opened = shop.anonymous.post("/api/v1/registers/T2/sessions", {"opening_float": "1.00"}, headers=first)
    assert (opened.status, opened.json()["opened_by"]) == (201, "user:bo@arco.example")
    tills = [first, {"Authorization": f"Register {opened.json()['token']}"}]
    assert [shop.anonymous.get("/api/v1/pos/session", headers=till).status for till in tills] == [200, 200]

    if end == "expired":
        _set(shop, made["id"], expires_at=time.time_ns() // 1000 - 1)
    else:
        assert shop.owner.delete(f"{KEYS}/{made['id']}").status == 204
    shop.application.auth.forget_tills()

    for till in tills:
        assert shop.anonymous.get("/api/v1/pos/session", headers=till).status == 401
        known = {**till, "X-Cashier-Pin": "471147"}
        assert shop.anonymous.get("/api/v1/pos/session", headers=known).status == 200


def test_a_refused_address_is_in_the_audit_log_once_a_minute(any_shop: Shop) -> None:
    shop = any_shop
    made = _made(shop, "staff", addresses=["203.0.113.0/24"])
    for _ in range(5):
        assert shop.owner.using(made["api_key"]).get("/api/v1/products").status == 403
    _wait_for_notes(shop)

    entries = [entry for entry in shop.owner.get("/api/v1/audit").json()["items"] if entry["action"] == "refused"]

    assert [(one["kind"], one["record_id"], one["changes"]) for one in entries] == [
        ("api_key", made["id"], {"address": "127.0.0.1"})
    ]
    assert shop.owner.get(f"{KEYS}/{made['id']}").json()["last_used_at"] is None


# Last use ------------------------------------------------------------------------------------------------------------


def test_when_a_key_was_last_used_is_seen_soon(any_shop: Shop) -> None:
    shop = any_shop
    made = _made(shop, "staff")
    one = f"{KEYS}/{made['id']}"
    before = instant_text(time.time_ns() // 1000)
    assert made["last_used_at"] is None

    for _ in range(3):
        assert shop.owner.using(made["api_key"]).get("/api/v1/products").status == 200
    _wait_for_notes(shop)

    used = shop.owner.get(one).json()["last_used_at"]
    assert before <= used <= instant_text(time.time_ns() // 1000)
    assert {row["id"]: row["last_used_at"] for row in shop.owner.get(KEYS).json()["items"]}[made["id"]] == used
    assert shop.owner.patch(one, {"name": "other"}).json()["last_used_at"] == used


def test_a_use_is_written_once_a_minute_whatever_the_processes(any_shop: Shop) -> None:
    shop = any_shop
    made = _made(shop, "staff")
    name, minute = (shop.made.org_id, made["id"]), key_notes.USE_MICROSECONDS
    seen = []
    for at in (HOUR, HOUR + minute - 1, HOUR - minute, HOUR + minute):
        key_notes.note_uses(shop.holdfast.database, {name: at})
        seen.append(shop.owner.get(f"{KEYS}/{made['id']}").json()["last_used_at"])

    assert seen == [instant_text(at) for at in (HOUR, HOUR, HOUR, HOUR + minute)]


def test_no_request_waits_for_the_note_of_its_use(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing can be written: the note is lost, the request is not."""
    made = _made(shop, "staff")
    wrote: list[Any] = []

    def away(_: Any, uses: Any) -> None:
        wrote.append(uses)
        raise sa.exc.OperationalError("UPDATE", {}, Exception("away"))

    monkeypatch.setattr(key_notes, "note_uses", away)
    assert shop.owner.using(made["api_key"]).get("/api/v1/products").status == 200
    assert wrote == []
    _wait_for_notes(shop)
    assert len(wrote) == 1 and (shop.made.org_id, made["id"]) in wrote[0]
    assert shop.owner.using(made["api_key"]).get("/api/v1/products").status == 200


# Limits --------------------------------------------------------------------------------------------------------------


def test_a_rate_limit_is_that_of_each_key(shop: Shop) -> None:
    """One key that asks too much keeps no other waiting; both secrets of a rolled key are one."""
    made, other = _made(shop, "staff", name="same"), _caller(shop, "staff", name="same")
    assert shop.owner.patch("/api/v1/settings", {"api_rate_limit": 5}).status == 200
    rolled = shop.owner.post(f"{KEYS}/{made['id']}/roll").json()
    shop.application.auth._keys.forget_all()
    old, new = shop.owner.using(made["api_key"]), shop.owner.using(rolled["api_key"])

    statuses = [old.get("/api/v1/products").status for _ in range(11)]

    assert 429 in statuses and new.get("/api/v1/products").status == 429
    assert other.get("/api/v1/products").status == 200


def test_a_note_that_waits_for_a_lock_keeps_no_request_waiting(postgres_url: str) -> None:
    """Somebody's console has the key's row locked: the note is lost, keys are looked up as ever."""
    for shop in opened_at(postgres_url):
        made = _made(shop, "staff")
        caller = shop.owner.using(made["api_key"])
        with shop.holdfast.database.engine.begin() as console:
            console.execute(sa.select(schema.api_key.c.id).where(schema.api_key.c.id == made["id"]).with_for_update())
            assert caller.get("/api/v1/products").status == 200
            _wait(shop, 1.2)
            for _ in range(3):
                shop.application.auth._keys.forget_all()
                began = time.monotonic()
                assert caller.get("/api/v1/products").status == 200
                assert time.monotonic() - began < 1
            _wait(shop, 1.5)
        assert shop.owner.get(f"{KEYS}/{made['id']}").json()["last_used_at"] is None


def test_requests_and_streams_are_counted_by_key() -> None:
    """Keys of one name are two callers; whatever secret it is asked with, a key is one."""
    callers = Callers(requests_max=1)
    first = Actor("o", "key:pos", Role.STAFF, id="1")
    narrowed, second = msgspec.structs.replace(first, stores=("s",)), msgspec.structs.replace(first, id="2")

    with callers.one_more(first), callers.one_more(second), pytest.raises(Problem), callers.one_more(narrowed):
        pass
    with ExitStack() as streams:
        for _ in range(CALLER_STREAMS_MAX):
            streams.enter_context(callers.streaming(first))
        with callers.streaming(second), pytest.raises(Problem), callers.streaming(narrowed):
            pass
