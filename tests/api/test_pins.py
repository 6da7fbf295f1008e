"""PINs: looked at last, counted for register, caller and organisation, kept with a salt for each user."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.access import Role
from holdfast.core.organisation.users import AddUser
from holdfast.db import cashiers, schema
from holdfast.db import credentials as directory
from holdfast.db.attempts import Rule
from holdfast.organisation import new_user
from holdfast.pins import INDEXES, index_of, is_pin, new_pin, old_hash
from holdfast.web.identity.auth import CALLER_PINS_MAX
from holdfast.web.identity.cashiers import OWN_PINS_MAX, Cashiers
from tests.api.client import Response
from tests.api.conftest import Shop
from tests.api.test_sign_in import PASSWORD, audit, signed_in


def register(shop: Shop, code: str = "TILL-1") -> str:
    """A new register; its path."""
    made = shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": code})
    return f"/api/v1/registers/{made.json()['id']}"


def user(shop: Shop, name: str, role: str, pin: str) -> Response:
    """A new user with a PIN."""
    body = {"email": f"{name}@arco.example", "password": "correct horse", "role": role, "pin": pin}
    return shop.owner.post("/api/v1/users", body)


def opens(shop: Shop, path: str, pin: str, amount: str = "1.00", **more: Any) -> Response:
    """An attempt to open a register with a PIN."""
    return shop.owner.post(f"{path}/sessions", {"opening_float": amount, "pin": pin}, **more)


def test_a_pin_is_looked_at_last(any_shop: Shop) -> None:
    """Shape and state are refused alike for a right and a wrong PIN, and neither is counted."""
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    path, busy = register(shop), register(shop, "TILL-2")
    assert opens(shop, busy, "4711").status == 201

    for _ in range(6):
        assert {opens(shop, path, pin, "x").code for pin in ("4711", "0000")} == {"INVALID_AMOUNT"}
        assert {opens(shop, busy, pin).code for pin in ("4711", "0000")} == {"INVALID_STATE"}

    assert opens(shop, path, "4711").status == 201


@pytest.mark.parametrize("kind", ["opener", "pin"])
def test_nobody_configures_the_organisation_at_a_till(shop: Shop, kind: str) -> None:
    """Six digits, typed where others look on, make no key and no owner."""
    user(shop, "olga", "owner", "471147")
    opened = opens(shop, register(shop), "471147").json()
    headers = {"Authorization": f"Register {opened['token']}"} | ({"X-Cashier-Pin": "471147"} if kind == "pin" else {})
    eve = {"email": "eve@arco.example", "password": "correct horse", "role": "owner", "stores": ["MAIN"]}

    for path, body in (
        ("/api/v1/api-keys", {"name": "k", "role": "owner", "stores": ["MAIN"]}),
        ("/api/v1/users", eve),
    ):
        refused = shop.anonymous.post(path, body, headers=headers)
        assert (refused.status, refused.code) == (403, "FORBIDDEN") and "till" in refused.json()["detail"]
    assert shop.anonymous.get("/api/v1/products", headers=headers).status == 200


def test_an_opening_with_a_pin_is_answered_again(any_shop: Shop) -> None:
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    path, key = register(shop), {"Idempotency-Key": "open-1"}

    first, again = opens(shop, path, "4711", headers=key), opens(shop, path, "4711", headers=key)

    assert (first.status, again.status) == (201, 201)
    assert again.headers["idempotent-replayed"] == "true" and again.json()["id"] == first.json()["id"]


def test_an_opening_is_answered_again_to_its_user_alone(any_shop: Shop) -> None:
    """A key tells nobody whether a PIN is right: wrong ones are counted, and another user's is a wrong one."""
    shop = any_shop
    for name, pin in (("bo", "4711"), ("mia", "2580")):
        user(shop, name, "cashier", pin)
    path, other, key = register(shop), register(shop, "TILL-2"), {"Idempotency-Key": "open-1"}
    first = opens(shop, path, "4711", headers=key)
    shop.owner.post("/api/v1/products", {"sku": "A", "title": "A"}, headers={"Idempotency-Key": "product"})

    for pin in ("2580", "0000"):
        assert (opens(shop, path, pin, headers=key).status) == 401
    assert [opens(shop, path, "4711", amount, headers=key).code for amount in ("2.00", "x")] == [
        "IDEMPOTENCY_KEY_REUSED"
    ] * 2
    for pin in ("4711", "2580", "0000"):
        for one in (key, {"Idempotency-Key": "product"}):
            assert opens(shop, other, pin, headers=one).code == "IDEMPOTENCY_KEY_REUSED"
    assert len(audit(shop, "pin_wrong")) == 1
    shop.anonymous.post(
        "/api/v1/pos/session/close",
        {"counted_cash": "1.00"},
        headers={"Authorization": f"Register {first.json()['token']}"},
    )
    assert opens(shop, path, "2580", headers=key).status == 401
    again = opens(shop, path, "4711", headers=key)
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json() == {**first.json(), "token": None}
    for _ in range(directory.PINS_WRONG_MAX):
        opens(shop, path, "0000", headers=key)
    assert opens(shop, path, "4711", headers=key).status == 429


def test_one_caller_cannot_try_at_many_registers(any_shop: Shop) -> None:
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    paths = [register(shop, f"TILL-{number}") for number in range(6)]
    tries = [opens(shop, paths[number % 6], "0000").status for number in range(cashiers.CALLER_RULE.free + 1)]

    assert set(tries) == {401}
    locked = opens(shop, paths[0], "4711")
    assert (locked.status, locked.code) == (429, "RATE_LIMITED")
    assert int(locked.headers["retry-after"]) <= cashiers.CALLER_RULE.first
    other = shop.caller("cashier")
    assert other.post(f"{paths[0]}/sessions", {"opening_float": "1.00", "pin": "4711"}).status == 201
    assert len(audit(shop, "pin_wrong")) == cashiers.CALLER_RULE.free + 1
    (line,) = audit(shop, "pin_locked")
    assert (line["kind"], line["actor"], line["address"]) == ("caller", "key:owner", "127.0.0.1")
    assert "PinLocked" in [event["type"] for event in shop.owner.get("/api/v1/events").json()["items"]]


def test_an_organisation_has_a_count_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cashiers, "ORGANISATION_RULE", Rule(free=3, first=5, longest=60))
    user(shop, "bo", "cashier", "4711")
    for number in range(4):
        path = register(shop, f"TILL-{number}")
        caller = shop.caller("cashier")
        assert caller.post(f"{path}/sessions", {"opening_float": "1.00", "pin": "0000"}).status == 401

    assert opens(shop, path, "4711").status == 429
    assert [line["kind"] for line in audit(shop, "pin_locked")] == ["organisation"]


def test_a_register_is_locked_for_longer_each_time(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = any_shop
    monkeypatch.setattr(directory, "PIN_LOCK_MICROSECONDS", 1_000_000)
    monkeypatch.setattr(cashiers, "CALLER_RULE", Rule(free=1000, first=1, longest=1))
    path = register(shop)
    name = path.rpartition("/")[2]

    def locked_for() -> float:
        entry = cashiers.Entry(shop.made.org_id, name, "key")
        for _ in range(directory.PINS_WRONG_MAX):
            now = time.time_ns() // 1000
            assert cashiers.enter(shop.holdfast.database, entry, None, now).locked_until == 0
        return (cashiers.enter(shop.holdfast.database, entry, None, now).locked_until - now) / 1e6

    first = locked_for()
    time.sleep(1.1)

    assert (first, locked_for()) == (1.0, 2.0)


def test_a_clock_that_was_ahead_locks_no_till(any_shop: Shop) -> None:
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    path = register(shop)
    token = opens(shop, path, "4711").json()["token"]
    entry = cashiers.Entry(shop.made.org_id, path.rpartition("/")[2], "key")
    ahead = time.time_ns() // 1000 + 86_400_000_000
    for _ in range(directory.PINS_WRONG_MAX):
        cashiers.enter(shop.holdfast.database, entry, None, ahead)
    assert cashiers.enter(shop.holdfast.database, entry, None, ahead).locked_until

    for headers in ({}, {"X-Cashier-Pin": "4711"}):
        till = {"Authorization": f"Register {token}", **headers}
        assert shop.anonymous.get("/api/v1/pos/session", headers=till).status == 200


@pytest.mark.parametrize(("role", "digits"), [("cashier", 4), ("staff", 4), ("manager", 6), ("admin", 6), ("owner", 6)])
def test_who_may_much_has_a_longer_pin(shop: Shop, role: str, digits: int) -> None:
    short = user(shop, "bo", role, "1234567"[: digits - 1])

    assert (short.status, short.code) == (400, "INVALID_REQUEST")
    assert user(shop, "bo", role, "1234567"[:digits]).status == 201


def test_a_pin_is_kept_with_a_salt_of_its_own() -> None:
    one, other = new_pin("org", "4711", ()), new_pin("org", "4711", ())

    assert one.hash != other.hash and one.index == other.index < INDEXES
    assert is_pin("4711", "org", one.hash) and not is_pin("4712", "org", one.hash)
    assert new_pin("org", "4711", [one.hash]).others == ()
    assert new_pin("org", "4712", [one.hash]).others == (one.hash,)


def test_pins_of_one_index_are_told_apart(any_shop: Shop) -> None:
    shop = any_shop
    wanted = index_of(shop.made.org_id, "4711")
    near = next(
        pin for pin in map(str, range(1000, 9999)) if pin != "4711" and index_of(shop.made.org_id, pin) == wanted
    )
    assert (user(shop, "bo", "cashier", "4711").status, user(shop, "mia", "cashier", near).status) == (201, 201)
    taken = user(shop, "di", "cashier", near)

    assert (taken.status, taken.code, taken.json()["field"]) == (409, "ALREADY_EXISTS", "pin")
    assert opens(shop, register(shop), near).json()["opened_by"] == "user:mia@arco.example"


def test_a_pin_of_an_older_version_works_and_is_replaced(any_shop: Shop) -> None:
    shop = any_shop
    made = new_user("bo@arco.example", Role.MANAGER, password="correct horse").command
    bo = shop.holdfast.do(shop.made.actor, made).answer
    table = schema.app_user
    own = (table.c.org_id == shop.made.org_id, table.c.id == bo.id)
    old = hashlib.scrypt(b"4711", salt=f"holdfast-pin:{shop.made.org_id}".encode(), n=2**14, r=8, p=1, dklen=32).hex()
    with shop.holdfast.database.writing() as connection:
        connection.execute(sa.update(table).where(*own).values(pin_hash=old))
    assert old == old_hash(shop.made.org_id, "4711")
    assert user(shop, "mia", "cashier", "4711").code == "ALREADY_EXISTS"

    first = opens(shop, register(shop), "4711")

    assert first.json()["opened_by"] == "user:bo@arco.example"
    with shop.holdfast.database.reading() as connection:
        kept, index = connection.execute(sa.select(table.c.pin_hash, table.c.pin_index).where(*own)).one()
    assert kept != old and is_pin("4711", shop.made.org_id, kept) and index == index_of(shop.made.org_id, "4711")
    assert opens(shop, register(shop, "TILL-2"), "4711").status == 201
    assert user(shop, "mia", "cashier", "4711").code == "ALREADY_EXISTS"


def test_a_command_without_a_comparison_gives_no_pin_twice(shop: Shop) -> None:
    """What was given between the comparison and the command is taken for the same PIN."""
    pin = new_pin(shop.made.org_id, "4711", ())
    rest = {"password_hash": "$argon2id$x", "role": "cashier"}
    shop.holdfast.do(shop.made.actor, AddUser(email="a@arco.example", pin=pin, **rest))  # type: ignore[arg-type]
    late = new_pin(shop.made.org_id, "4711", ())

    answer = shop.holdfast.do(shop.made.actor, AddUser(email="b@arco.example", pin=late, **rest)).answer  # type: ignore[arg-type]

    assert answer.code == "ALREADY_EXISTS"


def test_choosing_a_pin_that_somebody_has_is_a_wrong_pin(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer tells a PIN: who asks again and again waits, and the audit log says so."""
    shop = any_shop
    monkeypatch.setattr(cashiers, "CALLER_RULE", Rule(free=2, first=30, longest=900))
    user(shop, "bo", "cashier", "471147")
    browser, body = signed_in(shop), {"current_password": PASSWORD, "pin": "471147"}
    tries = [browser.post("/api/v1/me/pin", body).status for _ in range(4)]

    assert tries == [409, 409, 409, 429]
    assert {line["changes"]["detail"] for line in audit(shop, "pin_wrong")} == {"taken"}
    assert [line["kind"] for line in audit(shop, "pin_locked")] == ["caller"]
    mia = {"email": "mia@arco.example", "password": "correct horse", "role": "cashier", "pin": "471147"}
    assert [shop.owner.post("/api/v1/users", mia).status for _ in range(4)] == [409, 409, 409, 429]


def test_ones_own_pin_is_changed_a_few_times_a_day(any_shop: Shop) -> None:
    """Each change that is not refused tells of a PIN that nobody has it."""
    shop = any_shop
    browser = signed_in(shop)
    body = {"current_password": PASSWORD}
    tries = [browser.post("/api/v1/me/pin", {**body, "pin": f"48000{n}"}) for n in range(OWN_PINS_MAX + 1)]

    assert [one.status for one in tries] == [200] * OWN_PINS_MAX + [429]
    assert 80_000 < int(tries[-1].headers["retry-after"]) <= 86_401


def test_the_pins_of_who_is_locked_are_not_compared(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    path, other = register(shop), register(shop, "TILL-2")
    till = {"Authorization": f"Register {opens(shop, path, '4711').json()['token']}"}
    now = time.time_ns() // 1000
    bo = next(one for one in directory.users_of(shop.holdfast.database, "bo@arco.example"))
    for name in (bo.id, shop.owner.get("/api/v1/api-keys").json()["items"][0]["id"]):
        for _ in range(cashiers.CALLER_RULE.free + 1):
            cashiers.count_taken(shop.holdfast.database, shop.made.org_id, name, now)
    compared: list[str] = []
    monkeypatch.setattr(Cashiers, "_find", lambda *_: compared.append("one"))

    answers = [
        shop.anonymous.get("/api/v1/pos/session", headers={**till, "X-Cashier-Pin": f"00{n}0"}) for n in range(9)
    ]
    answers.append(opens(shop, other, "0000"))

    assert {one.status for one in answers} == {429} and compared == []


def test_few_pins_of_one_caller_are_looked_for_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of PINs at a till leaves the threads in which keys are looked up free."""
    user(shop, "bo", "cashier", "4711")
    till = {"Authorization": f"Register {opens(shop, register(shop), '4711').json()['token']}"}
    free = threading.Event()
    monkeypatch.setattr(Cashiers, "_find", lambda *_: free.wait(10) and None)

    async def flood() -> list[Any]:
        requests = [
            asyncio.ensure_future(
                shop.anonymous.send("GET", "/api/v1/pos/session", headers={**till, "X-Cashier-Pin": f"{n:04d}"})
            )
            for n in range(50)
        ]
        await asyncio.sleep(0.5)
        read = await shop.owner.send("GET", "/api/v1/products")
        free.set()
        return [read, *await asyncio.gather(*requests)]

    read, *answers = shop.owner.runner.run(flood())

    statuses = [one.status for one in answers]
    assert read.status == 200
    assert statuses.count(503) == 50 - CALLER_PINS_MAX and set(statuses) <= {401, 429, 503}
