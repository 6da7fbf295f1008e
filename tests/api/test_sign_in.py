"""Signing in: who fails waits and keeps nobody else out; sessions end; codes; what the audit log keeps."""

from __future__ import annotations

import concurrent.futures
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from pwdlib import PasswordHash

from holdfast.access import Role
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.organisation.users import ChangeUser
from holdfast.db import browser_sessions, schema
from holdfast.db.attempts import NOBODY, SECOND, Rule, attempting, forget_attempts
from holdfast.db.browser_sessions import Factor
from holdfast.db.credentials import users_of
from holdfast.organisation import Established, establish, new_user
from holdfast.passwords import hashed, verified
from holdfast.web.http.problems import Problem
from holdfast.web.identity import hashing, second_factor, throttle
from holdfast.web.identity import sign_in as sign_in_module
from holdfast.web.identity.hashing import Hashing, Place
from holdfast.web.identity.security_log import Origin
from holdfast.web.identity.sign_in import Entered
from holdfast.web.identity.throttle import ACCOUNT_FREE, PAIR_RULE, SOFT_SECONDS
from tests.api.client import Client
from tests.api.conftest import Shop

OWNER, PASSWORD = "ana@arcoiris.example", "correct horse"
SAME = {"Sec-Fetch-Site": "same-origin"}


class Clock:
    """A clock that stands still until a test sets it ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._began = time.time_ns()

    def time_ns(self) -> int:
        """As `time.time_ns`."""
        return self._began + int(self.ahead * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The clock of who counts failures."""
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


def enter(
    shop: Shop, password: str, address: str = "192.0.2.1", cookies: dict[str, str] | None = None
) -> Entered | None:
    """An attempt of the owner's account."""
    return shop.application.auth.sign_in.enter(OWNER, password, Origin(address, "request-1", "Browser"), cookies or {})


def tried(shop: Shop, password: str, address: str = "192.0.2.1", cookies: dict[str, str] | None = None) -> int | str:
    """What became of it: `in`, `wrong`, or the seconds to wait."""
    try:
        return "wrong" if enter(shop, password, address, cookies) is None else "in"
    except Problem as problem:
        return int(problem.headers["Retry-After"]) if problem.status == 429 else problem.code


def audit(shop: Shop, action: str) -> list[dict[str, Any]]:
    """The lines of an action, once all that was noted is written."""
    end = time.monotonic() + 2
    while True:
        items: list[dict[str, Any]] = shop.owner.get(f"/api/v1/audit?action={action}").json()["items"]
        if items or time.monotonic() > end:
            time.sleep(0.1)
            return shop.owner.get(f"/api/v1/audit?action={action}").json()["items"]  # type: ignore[no-any-return]
        time.sleep(0.05)


def signed_in(shop: Shop) -> Client:
    """The owner in a browser."""
    entered = enter(shop, PASSWORD)
    assert entered is not None and entered.stage == "open"
    return with_cookie(shop, entered.token)


class Browser(Client):
    """A client that sends a session's cookie from our own pages."""

    cookie = ""

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """One request."""
        headers = {"Cookie": f"holdfast_session={self.cookie}", **SAME, **(more.pop("headers", None) or {})}
        return await super().send(method, path, body, headers=headers, **more)


def with_cookie(shop: Shop, token: str) -> Client:
    """A browser that has the session of a token."""
    browser = Browser(shop.application, shop.owner.runner)
    browser.cookie = token
    return browser


# Failures ------------------------------------------------------------------------------------------------------------


def test_right_passwords_lock_nobody_out(shop: Shop) -> None:
    assert [tried(shop, PASSWORD) for _ in range(14)] == ["in"] * 14


def test_pauses_grow_and_end(any_shop: Shop, clock: Clock) -> None:
    shop = any_shop
    assert [tried(shop, "wrong") for _ in range(PAIR_RULE.free + 1)] == ["wrong"] * (PAIR_RULE.free + 1)

    first = tried(shop, PASSWORD)
    clock.ahead += PAIR_RULE.first + 1
    assert tried(shop, "wrong") == "wrong"
    second = tried(shop, PASSWORD)
    clock.ahead += 2 * PAIR_RULE.first + 1

    assert (first, second) == (15, 30)
    assert tried(shop, PASSWORD) == "in"
    assert tried(shop, PASSWORD) == "in"


def test_processes_count_together(shop: Shop) -> None:
    """Another process has nothing of this one but the database."""
    from holdfast.web.server import create_application

    other = create_application(shop.holdfast)
    for number in range(PAIR_RULE.free + 1):
        auth = (shop.application if number % 2 else other).auth
        assert auth.sign_in.enter(OWNER, "wrong", Origin("192.0.2.1"), {}) is None
    with pytest.raises(Problem) as refused:
        other.auth.sign_in.enter(OWNER, PASSWORD, Origin("192.0.2.1"), {})
    other.close()

    assert refused.value.status == 429


def test_a_stranger_never_locks_the_owner_out(shop: Shop, clock: Clock) -> None:
    """Failures from many addresses: the browser that is known goes in at once, another address after one soft pause."""
    entered = enter(shop, PASSWORD, "198.51.100.7")
    assert entered is not None and entered.device is not None
    known = dict([entered.device])
    for number in range(ACCOUNT_FREE + 1):
        tried(shop, "wrong", f"203.0.113.{number}")

    assert tried(shop, PASSWORD, "198.51.100.9", known) == "in"
    assert tried(shop, PASSWORD, "198.51.100.8") == SOFT_SECONDS
    for number in range(3):  # the stranger goes on meanwhile
        clock.ahead += 2
        tried(shop, "wrong", f"203.0.113.{100 + number}")
    assert tried(shop, PASSWORD, "198.51.100.8") == "in"


def test_a_known_browser_has_a_count_of_its_own(shop: Shop) -> None:
    entered = enter(shop, PASSWORD)
    assert entered is not None and entered.device is not None
    name, value = entered.device
    for _ in range(PAIR_RULE.free + 1):
        assert tried(shop, "wrong", cookies={name: value}) == "wrong"

    assert isinstance(tried(shop, PASSWORD, cookies={name: value}), int)
    assert tried(shop, PASSWORD, "192.0.2.99") == "in"


@pytest.mark.parametrize("spoilt", ["x.y", "", ".", "device.", "dé.x", "{value}0", "other.{sign}"])
def test_a_forged_mark_makes_no_browser_known(shop: Shop, spoilt: str) -> None:
    entered = enter(shop, PASSWORD)
    assert entered is not None and entered.device is not None
    name, value = entered.device
    forged = {name: spoilt.format(value=value, sign=value.partition(".")[2])}
    for _ in range(PAIR_RULE.free + 1):
        tried(shop, "wrong", cookies=forged)

    assert isinstance(tried(shop, PASSWORD, cookies=forged), int)
    assert tried(shop, PASSWORD, cookies={name: value}) == "in"


def test_one_address_at_many_accounts_waits(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESS_RULE", Rule(free=3, first=15, longest=900))
    sign_in = shop.application.auth.sign_in
    for number in range(4):
        assert sign_in.enter(f"u{number}@shop.example", "wrong", Origin("2001:db8::1"), {}) is None

    assert isinstance(tried(shop, PASSWORD, "2001:db8::ffff"), int)
    assert tried(shop, PASSWORD, "2001:db8:0:1::1") == "in"


def test_a_clock_that_was_ahead_locks_for_no_longer(any_shop: Shop, clock: Clock) -> None:
    shop = any_shop
    clock.ahead = 86_400.0
    for _ in range(PAIR_RULE.free + 1):
        assert tried(shop, "wrong") == "wrong"
    assert isinstance(tried(shop, PASSWORD), int)

    clock.ahead = 0.0

    assert tried(shop, PASSWORD) == "in"


def test_many_at_once_are_no_way_round(any_shop: Shop) -> None:
    shop = any_shop
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: tried(shop, "wrong"), range(20)))

    assert results.count("wrong") == PAIR_RULE.free + 1


def test_old_counters_are_forgotten(any_shop: Shop) -> None:
    shop = any_shop
    tried(shop, "wrong")
    database, now = shop.holdfast.database, time.time_ns() // 1000

    assert forget_attempts(database, now) == 0
    assert forget_attempts(database, now + 3 * 3600 * SECOND) == 4
    with attempting(database, now) as attempts:
        assert attempts.peek(NOBODY, f"account:{OWNER}").failures == 0


def test_passwords_are_hashed_two_at_a_time_and_few_wait(shop: Shop) -> None:
    """90 sign-ins at once: 22 are heard, the others come back; a read beside them is answered before any is done."""
    import asyncio

    auth = shop.application.auth
    done = threading.Event()
    busy, most = 0, 0

    def slow(_: int) -> str:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        assert done.wait(30)
        busy -= 1
        return "done"

    async def all_at_once() -> list[Any]:
        waiting = [asyncio.ensure_future(auth.hashing.run(slow, one)) for one in range(90)]
        await asyncio.sleep(0)
        try:
            assert (await shop.owner.send("GET", "/api/v1/products")).status == 200
        finally:
            done.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    results = shop.owner.runner.run(all_at_once())
    refused = [one for one in results if isinstance(one, Problem)]

    assert most == hashing.AT_ONCE and results.count("done") == hashing.AT_ONCE + hashing.QUEUE_MAX
    assert {(one.status, one.headers["Retry-After"]) for one in refused} == {(503, "2")}


def test_callers_who_hash_do_not_take_all_threads() -> None:
    turns = Hashing()
    with turns.turn(), turns.turn(), concurrent.futures.ThreadPoolExecutor(8) as threads:

        def wait() -> int:
            try:
                with turns.turn():
                    return 0
            except Problem as problem:
                return problem.status

        futures = [threads.submit(wait) for _ in range(6)]
        done, _ = concurrent.futures.wait(futures, timeout=0.5)
        assert [one.result() for one in done] == [503] * 4
        turns._turns.release()  # one of the two is done
        assert sorted(one.result(timeout=2) for one in futures) == [0, 0, 503, 503, 503, 503]
        turns._turns.acquire()
    turns.close()


def test_nobody_takes_more_than_a_share_of_the_queue(shop: Shop) -> None:
    """One address, or one account, holds four places; who is known has places of their own and goes first."""
    import asyncio
    import threading

    auth, free, order = shop.application.auth, threading.Event(), list[str]()

    def slow(name: str) -> str:
        free.wait(10)
        order.append(name)
        return name

    async def flood() -> list[Any]:
        places = [Place((f"address:{one % 5}", f"account:{one}")) for one in range(30)]
        places += [Place((f"address:{one + 9}", "account:0")) for one in range(9)]
        waiting = [asyncio.ensure_future(auth.hashing.run(slow, "stranger", place=one)) for one in places]
        await asyncio.sleep(0.1)
        known = [
            asyncio.ensure_future(auth.hashing.run(slow, "known", place=Place(("user:1",), known=True)))
            for _ in range(5)
        ]
        await asyncio.sleep(0.1)
        free.set()
        return await asyncio.gather(*waiting, *known, return_exceptions=True)

    results = shop.owner.runner.run(flood())

    assert results[:30].count("stranger") == 5 * 4 and results[30:39].count("stranger") == 2
    assert results[39:].count("known") == 4
    last = len(order) - order[::-1].index("known")
    assert order[:last].count("stranger") <= 2  # those whose turn it was already


def test_who_is_locked_takes_no_place(any_shop: Shop) -> None:
    """A lock is seen before the queue: 429, though nobody's password is hashed now."""
    shop = any_shop
    sign_in = shop.application.auth.sign_in
    for _ in range(PAIR_RULE.free + 1):
        tried(shop, "wrong")

    with pytest.raises(Problem) as refused:
        sign_in.look(OWNER, Origin("192.0.2.1"), {})

    assert refused.value.status == 429
    assert sign_in.look(OWNER, Origin("2001:db8::1"), {}).shares == ("address:2001:db8::/64", f"account:{OWNER}")


def test_right_passwords_have_a_rate(any_shop: Shop, clock: Clock) -> None:
    """Who signs in all the time keeps the threads busy: the rate is that of one address at one account."""
    shop = any_shop
    assert {tried(shop, PASSWORD) for _ in range(throttle.RATE_MAX)} == {"in"}

    assert isinstance(tried(shop, PASSWORD), int)
    assert tried(shop, PASSWORD, "192.0.2.99") == "in"
    clock.ahead += throttle.RATE_SECONDS + 1
    assert tried(shop, PASSWORD) == "in"


# Several organisations that know one address -------------------------------------------------------------------------

OTHERS = "battery staple"


def other_organisation(shop: Shop) -> Established:
    """An organisation whose owner has made a user with the address of our owner."""
    made = establish(shop.holdfast.database, "Eve", "eve@evil.example", password=PASSWORD)
    command = new_user(OWNER, Role.CASHIER, password=OTHERS).command
    assert shop.holdfast.do(made.actor, command).answer.email == OWNER
    return made


def test_a_browser_that_another_organisation_knows_is_no_way_round(any_shop: Shop, clock: Clock) -> None:
    """Eve signs in as her user of Ana's address between her guesses at Ana's password."""
    shop = any_shop
    other_organisation(shop)
    entered = enter(shop, OTHERS)
    assert entered is not None and entered.device is not None
    mark = dict([entered.device])
    results = []
    for number in range(24):
        results.append(tried(shop, f"guess {number}", cookies=mark))
        if number % 4 == 3:
            assert tried(shop, OTHERS, cookies=mark) == "in"

    assert tried(shop, PASSWORD, cookies=mark) != "in"
    with attempting(shop.holdfast.database, time.time_ns() // 1000) as attempts:
        assert attempts.peek(NOBODY, f"account:{OWNER}").failures == PAIR_RULE.free + 1
    assert tried(shop, PASSWORD, "198.51.100.7") == "in"


def test_signing_in_elsewhere_forgets_no_failures(any_shop: Shop, clock: Clock) -> None:
    """Without a mark: a right password takes back itself alone."""
    shop = any_shop
    other_organisation(shop)
    wrong = 0
    for number in range(24):
        wrong += tried(shop, f"guess {number}") == "wrong"
        tried(shop, OTHERS)

    assert wrong == PAIR_RULE.free + 1


def test_a_password_chosen_as_a_guess_tells_nothing(any_shop: Shop) -> None:
    """Eve gives her user the password that she guesses at: she enters as her user, right or not."""
    shop = any_shop
    eve = other_organisation(shop)
    user = next(one for one in users_of(shop.holdfast.database, OWNER) if one.org_id == eve.org_id)
    shop.holdfast.do(eve.actor, ChangeUser(user.id, password_hash=hashed(PASSWORD)))

    entered = enter(shop, PASSWORD)

    assert entered is not None
    pending = shop.application.auth.sign_in.pending(entered.token)
    session = shop.anonymous.get("/api/v1/settings", headers={"Cookie": f"holdfast_session={entered.token}"})
    assert pending is None or pending.org_id == eve.org_id
    assert session.status == 401 or session.json()["name"] == "Eve"


def test_a_browser_is_known_to_each_organisation(shop: Shop) -> None:
    """Who works in two keeps both marks, and enters the one whose password it is."""
    other_organisation(shop)
    one, two = enter(shop, PASSWORD), enter(shop, OTHERS)
    assert one is not None and two is not None and one.device is not None and two.device is not None
    marks = dict([one.device, two.device])

    assert len(marks) == 2
    assert [tried(shop, word, cookies=marks) for word in (PASSWORD, OTHERS, PASSWORD)] == ["in"] * 3


@pytest.mark.parametrize("users", [0, 1, 2])
@pytest.mark.parametrize("known", [False, True])
def test_the_number_of_hashes_tells_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, users: int, *, known: bool
) -> None:
    marks: dict[str, str] = {}
    if users == 2:
        other_organisation(shop)
    if known and users:
        entered = enter(shop, OTHERS if users == 2 else PASSWORD)
        assert entered is not None and entered.device is not None
        marks = dict([entered.device])
    counted: list[str] = []

    def wrong(_: str, kept: str) -> bool:
        counted.append(kept)
        return False

    monkeypatch.setattr(sign_in_module, "verified", wrong)

    email = OWNER if users else "nobody@shop.example"
    assert shop.application.auth.sign_in.enter(email, "wrong", Origin("192.0.2.1"), marks) is None

    assert len(counted) == 2


def test_an_organisation_hears_nothing_of_anothers_people(any_shop: Shop) -> None:
    shop = any_shop
    eve = shop.owner.using(other_organisation(shop).api_key)
    for _ in range(PAIR_RULE.free + 1):
        assert tried(shop, "mistyped", "203.0.113.200") == "wrong"
    entered = enter(shop, PASSWORD)
    assert entered is not None and entered.device is not None
    assert tried(shop, "mistyped", "203.0.113.200", dict([entered.device])) == "wrong"

    assert [line["address"] for line in audit(shop, "sign_in_failed")] == ["203.0.113.200"]
    assert eve.get("/api/v1/audit?address=203.0.113.200").json()["items"] == []
    assert "SignInLocked" not in {event["type"] for event in eve.get("/api/v1/events").json()["items"]}


# Passwords -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weak",
    ["password", "12345678", "aaaaaaaa", "holdfast", "bo@shop.example", "BO@shop.example ", "Arco Iris", "arcoiris"],
)
def test_weak_passwords_are_refused(shop: Shop, weak: str) -> None:
    answer = shop.owner.post("/api/v1/users", {"email": "bo@shop.example", "password": weak, "role": "staff"})

    assert (answer.status, answer.code, answer.json()["field"]) == (400, "INVALID_REQUEST", "password")


def test_a_new_password_ends_all_sessions(any_shop: Shop) -> None:
    shop = any_shop
    browser = signed_in(shop)
    assert browser.get("/api/v1/products").status == 200

    shop.owner.patch(f"/api/v1/users/{shop.made.user_id}", {"password": "battery staple"})
    time.sleep(0.6)

    assert browser.get("/api/v1/products").status == 401
    assert tried(shop, PASSWORD) == "wrong"
    entered = enter(shop, "battery staple")
    assert entered is not None and entered.stage == "password"
    assert with_cookie(shop, entered.token).get("/api/v1/products").status == 401


def test_a_password_that_is_changed_while_it_is_compared_opens_nothing(
    any_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing takes half a second: whoever knows the old password always had one attempt under way."""
    shop = any_shop
    demands = browser_sessions.demands

    def changed_meanwhile(*arguments: Any) -> Any:
        shop.owner.patch(f"/api/v1/users/{shop.made.user_id}", {"password": "battery staple"})
        return demands(*arguments)

    monkeypatch.setattr(browser_sessions, "demands", changed_meanwhile)
    entered = enter(shop, PASSWORD)

    assert entered is None
    with shop.holdfast.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.browser_session)).scalar() == 0


def test_people_change_their_own_password(any_shop: Shop) -> None:
    shop = any_shop
    here, there = signed_in(shop), signed_in(shop)
    path = "/api/v1/me/password"
    body = {"current_password": "wrong", "password": "battery staple"}

    wrong = here.post(path, body)
    weak = here.post(path, {"current_password": PASSWORD, "password": "password1"})
    right = here.post(path, {**body, "current_password": PASSWORD})
    time.sleep(0.6)

    assert (wrong.status, wrong.json()["field"]) == (400, "current_password")
    assert (weak.status, weak.json()["field"]) == (400, "password")
    assert right.status == 200 and right.json()["first_password"] is False
    assert (here.get("/api/v1/products").status, there.get("/api/v1/products").status) == (200, 401)
    assert shop.owner.post(path, body).status == 403
    assert here.patch(f"/api/v1/users/{shop.made.user_id}", {"password": "another one"}).status == 403
    line = shop.owner.get(f"/api/v1/audit?record_id={shop.made.user_id}&action=change").json()["items"][0]
    assert (line["changes"]["password_hash"], line["address"]) == ("(secret)", "127.0.0.1") and line["request_id"]


@pytest.mark.parametrize("spelled", ["cafe\u0301 au lait", "caf\xe9 au\xa0lait", "caf\xe9 au lait"])
def test_a_password_is_known_in_every_spelling(shop: Shop, spelled: str) -> None:
    """Keyboards differ in what they make of one key, and JSON and forms come different ways."""
    assert shop.owner.patch(f"/api/v1/users/{shop.made.user_id}", {"password": spelled}).status == 200

    for typed in ("cafe\u0301 au lait", "caf\xe9 au\xa0lait", "caf\xe9 au lait"):
        assert tried(shop, typed) == "in"
    assert tried(shop, "cafe au lait") == "wrong"


def test_a_hash_of_another_spelling_from_before_still_works() -> None:
    typed = "caf\xe9 au\xa0lait"
    before = PasswordHash.recommended().hash(typed)

    assert verified(typed, before) and not verified("caf\xe9", before)


def test_ones_own_address_is_changed_with_the_password(any_shop: Shop) -> None:
    """A session that was left open is not enough to take an account over."""
    shop = any_shop
    here, path = signed_in(shop), f"/api/v1/users/{shop.made.user_id}"
    change = {"email": "eve@evil.example"}

    without = here.patch(path, change)
    wrong = here.patch(path, {**change, "current_password": "wrong"})
    same = here.patch(path, {"email": OWNER})
    right = here.patch(path, {"email": "new@arcoiris.example", "current_password": PASSWORD})

    assert [(one.status, one.json()["field"]) for one in (without, wrong)] == [(400, "current_password")] * 2
    assert (same.status, right.status, right.json()["email"]) == (200, 200, "new@arcoiris.example")


def test_me_is_somebody_else_for_another_under_one_key(any_shop: Shop) -> None:
    """The path says `me`: whoever takes another's Idempotency-Key hears nothing of them."""
    shop = any_shop
    made = shop.owner.post("/api/v1/users", {"email": "bo@arco.example", "password": PASSWORD, "role": "owner"})
    shop.holdfast.do(shop.made.actor, ChangeUser(made.json()["id"], first_password=False))
    ana = signed_in(shop)
    entered = shop.application.auth.login("bo@arco.example", PASSWORD)
    assert entered is not None
    bo = with_cookie(shop, entered)
    key = {"Idempotency-Key": "pw-1"}
    body = {"current_password": PASSWORD, "password": "battery staple"}

    first = ana.post("/api/v1/me/password", body, headers=key)
    second = bo.post("/api/v1/me/password", body, headers=key)

    assert first.status == 200
    assert (second.status, second.code) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_people_see_and_end_their_sessions(any_shop: Shop) -> None:
    shop = any_shop
    here, there, third = signed_in(shop), signed_in(shop), signed_in(shop)
    seen = here.get("/api/v1/me/sessions").json()["items"]

    assert len(seen) == 3 and [one["this"] for one in seen].count(True) == 1
    assert {(one["address"], one["device"]) for one in seen} == {("192.0.2.1", "Browser")}
    theirs = there.get("/api/v1/me/sessions").json()["items"]
    named = next(one["id"] for one in theirs if one["this"])
    assert here.delete(f"/api/v1/me/sessions/{named}").json() == {"ended": 1}
    assert here.delete(f"/api/v1/me/sessions/{named}").status == 404
    assert here.delete("/api/v1/me/sessions").json() == {"ended": 1}
    assert [one.get("/api/v1/products").status for one in (here, there, third)] == [200, 401, 401]


def test_an_unused_session_ends(shop: Shop) -> None:
    browser = signed_in(shop)
    shop.application.auth.idle = 3600 * SECOND
    session = schema.browser_session
    with shop.holdfast.database.writing() as connection:
        connection.execute(sa.update(session).values(used_at=session.c.used_at - 3599 * SECOND))
    assert browser.get("/api/v1/products").status == 200  # and it is used again
    time.sleep(0.6)
    with shop.holdfast.database.writing() as connection:
        connection.execute(sa.update(session).values(used_at=session.c.used_at - 3601 * SECOND))

    assert browser.get("/api/v1/products").status == 401


# The second factor ---------------------------------------------------------------------------------------------------


def _factor(shop: Shop) -> tuple[pyotp.TOTP, list[str]]:
    codes = second_factor.new_codes()
    made = Factor(second_factor.new_secret(), second_factor.kept(codes), 0)
    database = shop.holdfast.database
    browser_sessions.set_factor(database, shop.made.org_id, shop.made.user_id, made, time.time_ns() // 1000)
    return pyotp.TOTP(made.secret), codes


def test_a_code_is_asked_and_taken_once(any_shop: Shop) -> None:
    shop = any_shop
    app, codes = _factor(shop)
    sign_in, origin = shop.application.auth.sign_in, Origin("192.0.2.1")

    def give(code: str) -> Entered | None:
        entered = enter(shop, PASSWORD)
        assert entered is not None and (entered.stage, entered.device) == ("code", None)
        assert with_cookie(shop, entered.token).get("/api/v1/products").status == 401
        return sign_in.give_code(entered.token, code, origin, {})

    now = app.now()
    entered = give(now)
    assert entered is not None and entered.stage == "open"
    assert with_cookie(shop, entered.token).get("/api/v1/products").status == 200
    assert give(now) is None
    assert give("000000") is None
    assert give(codes[0].upper()) is not None
    assert give(codes[0]) is None
    assert audit(shop, "recovery_code_used")[0]["changes"] == {"detail": "9 left"}


def test_codes_cannot_be_tried_through(shop: Shop) -> None:
    _factor(shop)
    sign_in = shop.application.auth.sign_in
    entered = enter(shop, PASSWORD)
    assert entered is not None
    for _ in range(PAIR_RULE.free + 1):
        assert sign_in.give_code(entered.token, "000000", Origin("192.0.2.1"), {}) is None

    with pytest.raises(Problem) as refused:
        sign_in.give_code(entered.token, "000000", Origin("192.0.2.1"), {})

    assert refused.value.status == 429


def test_a_role_may_need_it(shop: Shop) -> None:
    assert shop.owner.patch("/api/v1/settings", {"totp_roles": ["owner", "admin"]}).json()["totp_roles"] == [
        "owner",
        "admin",
    ]

    entered = enter(shop, PASSWORD)

    assert entered is not None and entered.stage == "factor"
    assert with_cookie(shop, entered.token).get("/api/v1/products").status == 401
    shop.holdfast.do(shop.made.actor, ChangeSettings(totp_roles=("manager",)))
    entered = enter(shop, PASSWORD)
    assert entered is not None and entered.stage == "open"


def test_the_first_password_comes_before_the_factor(shop: Shop) -> None:
    shop.holdfast.do(shop.made.actor, ChangeUser(shop.made.user_id, first_password=True))
    shop.holdfast.do(shop.made.actor, ChangeSettings(totp_roles=("owner",)))

    entered = enter(shop, PASSWORD)

    assert entered is not None and entered.stage == "password"
    assert shop.owner.get("/api/v1/products").status == 200  # keys are another matter


# What is kept of it --------------------------------------------------------------------------------------------------


def test_signing_in_and_out_is_kept(any_shop: Shop) -> None:
    shop = any_shop
    entered = enter(shop, PASSWORD)
    assert entered is not None
    shop.application.auth.logout(entered.token, Origin("192.0.2.1", "request-2"))

    (line,) = audit(shop, "sign_in")
    (out,) = audit(shop, "sign_out")

    assert (line["actor"], line["record_id"], line["address"], line["request_id"]) == (
        f"user:{OWNER}", shop.made.user_id, "192.0.2.1", "request-1",
    )  # fmt: skip
    assert (out["address"], out["request_id"]) == ("192.0.2.1", "request-2")
    types = [event["type"] for event in shop.owner.get("/api/v1/events").json()["items"]]
    assert types.count("SignedInFromNewDevice") == 1
    assert shop.owner.get("/api/v1/audit?address=192.0.2.1").json()["items"][0]["action"] == "sign_out"
    assert shop.owner.get("/api/v1/audit?address=192.0.2.77").json()["items"] == []


def test_a_stranger_cannot_fill_the_log(shop: Shop, clock: Clock) -> None:
    for _ in range(PAIR_RULE.free + 1):
        tried(shop, "wrong secret word")
    for _ in range(50):
        tried(shop, "wrong secret word")
    assert [line["changes"] for line in audit(shop, "sign_in_failed")] == [{}]
    assert len(audit(shop, "sign_in_locked")) == 1
    clock.ahead += 70

    tried(shop, "wrong secret word")

    time.sleep(0.2)
    lines = audit(shop, "sign_in_failed")
    assert [line["changes"] for line in lines] == [{"count": PAIR_RULE.free + 1}, {}]
    assert {(line["actor"], line["address"]) for line in lines} == {("unknown", "192.0.2.1")}
    assert "secret" not in str(shop.owner.get("/api/v1/audit?limit=200").json())


def test_refusals_of_known_callers_are_kept_once_a_minute(shop: Shop) -> None:
    cashier = shop.caller("cashier")
    for _ in range(5):
        assert cashier.get("/api/v1/users").status == 403

    (line,) = audit(shop, "refused")

    assert (line["actor"], line["changes"], line["address"]) == ("key:cashier", {"detail": "FORBIDDEN"}, "127.0.0.1")


def test_roles_that_change_are_told(shop: Shop) -> None:
    made = shop.owner.post("/api/v1/users", {"email": "bo@shop.example", "password": PASSWORD, "role": "staff"}).json()
    shop.owner.patch(f"/api/v1/users/{made['id']}", {"role": "manager"})

    event = shop.owner.get("/api/v1/events").json()["items"][-1]

    assert event["type"] == "UserRoleChanged"
    assert (event["data"]["user_id"], event["data"]["role"], event["data"]["before"]) == (
        made["id"],
        "manager",
        "staff",
    )


def test_a_password_is_kept_as_the_field_recommends() -> None:
    """Argon2id with 19 MiB or more and two passes or more, or 46 MiB and one (OWASP Password Storage Cheat Sheet)."""
    fresh = subprocess.run(
        [sys.executable, "-c", "from holdfast.passwords import hashed; print(hashed('correct horse'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    kind, memory, passes = re.match(r"\$(\w+)\$v=19\$m=(\d+),t=(\d+),", fresh).groups()  # type: ignore[union-attr]
    assert kind == "argon2id"
    assert int(memory) >= 46 * 1024 and int(passes) >= 1
