"""Secrets that name their organisation: how they are written, where they are looked for, and those of before."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import Any

import pytest

from holdfast.access import Role
from holdfast.core.organisation.keys import AddKey
from holdfast.core.sales.register import OpenSession
from holdfast.db import browser_sessions
from holdfast.db import credentials as directory
from holdfast.db.browser_sessions import OPEN, Begun
from holdfast.organisation import establish, new_key
from holdfast.tokens import KEY, SESSION, TILL, digest_of, new_token, sought
from holdfast.web.identity.auth import NOWHERE
from holdfast.web.identity.cookies import SESSION_COOKIE as COOKIE
from tests.api.conftest import Shop

ORGS = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "01890000-0000-7000-8000-000000000001",
)


@pytest.mark.parametrize("kind", [KEY, SESSION, TILL])
@pytest.mark.parametrize("org_id", ORGS)
def test_a_token_names_its_organisation_in_one_way(kind: str, org_id: str) -> None:
    for _ in range(200):
        token = new_token(kind, org_id)

        assert re.fullmatch(rf"{kind}[0-9A-Za-z]{{22}}_[0-9A-Za-z]{{43}}", token.text)
        assert sought(kind, token.text.encode()) == (org_id, digest_of(token.text))
        assert (token.hint, token.digest) == (token.text[-4:], digest_of(token.text))
        others = {KEY, SESSION, TILL} - {kind}
        assert [sought(other, token.text.encode()) for other in others] == [None, None]


def test_secrets_differ() -> None:
    made = {new_token(KEY, ORGS[2]).text for _ in range(1000)}

    assert len({text[-43:] for text in made}) == 1000


@pytest.mark.parametrize("kind", [KEY, SESSION, TILL])
def test_what_nobody_made_is_not_looked_for(kind: str) -> None:
    token = new_token(kind, ORGS[2]).text
    beyond = f"{kind}{'z' * 22}_{token[-43:]}"
    for text in ("", kind, token[:-1], token + "x", token.upper(), beyond, token.replace("_", "-"), "x" * 500, "\xff"):
        assert sought(kind, text.encode("latin-1")) is None, text


def test_a_token_of_before_is_looked_for_in_all_organisations() -> None:
    for kind, before in ((KEY, "hf_"), (TILL, "till_"), (SESSION, "")):
        for _ in range(200):
            text = before + secrets.token_urlsafe(32)
            assert sought(kind, text.encode()) == (None, digest_of(text))


# At the door ---------------------------------------------------------------------------------------------------------


def _old_key(shop: Shop, **fields: Any) -> str:
    """A key as it was made before."""
    text = "hf_" + secrets.token_urlsafe(32)
    command = AddKey(name="old", key_hash=digest_of(text), role="manager", **fields)
    assert shop.holdfast.do(shop.made.actor, command).answer.role == "manager"
    return text


def _cookie_of_before(shop: Shop, stage: str) -> str:
    """A browser session in that stage, as it was made before."""
    cookie, now = secrets.token_urlsafe(32), time.time_ns() // 1000
    user = directory.users_of(shop.holdfast.database, "ana@arcoiris.example")[0]
    begun = Begun(now, now + 60_000_000, stage, "", "")
    browser_sessions.begin(shop.holdfast.database, digest_of(cookie), user, begun)
    return cookie


def test_keys_cookies_and_tills_of_before_go_on(any_shop: Shop) -> None:
    shop = any_shop
    old = shop.owner.using(_old_key(shop))
    assert old.get("/api/v1/products").status == 200

    user = directory.users_of(shop.holdfast.database, "ana@arcoiris.example")[0]
    cookie = _cookie_of_before(shop, OPEN)
    seen = shop.anonymous.get("/api/v1/products", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert seen.status == 200

    till = "till_" + secrets.token_urlsafe(32)
    register = old.post("/api/v1/registers", {"store_id": "MAIN", "code": "TILL-1"}).json()["id"]
    opened = OpenSession(register, "10.00", digest_of(till), "user:ana@arcoiris.example", user.id)
    shop.holdfast.do(shop.made.actor, opened)
    headers = {"Authorization": f"Register {till}"}
    assert shop.anonymous.get("/api/v1/pos/session", headers=headers).status == 200
    closed = shop.anonymous.post("/api/v1/pos/session/close", {"counted_cash": "10.00"}, headers=headers)
    assert closed.status == 200


def test_sessions_of_before_are_seen_ended_and_gone_on_with(any_shop: Shop) -> None:
    shop = any_shop
    cookies = [_cookie_of_before(shop, OPEN) for _ in range(3)]
    asked = [{"Cookie": f"{COOKIE}={cookie}", "Sec-Fetch-Site": "same-origin"} for cookie in cookies]
    for headers in asked:
        assert shop.anonymous.get("/api/v1/products", headers=headers).status == 200

    ended = shop.anonymous.request("DELETE", "/api/v1/me/sessions", headers=asked[0])
    assert ended.json() == {"ended": 2}
    statuses = [shop.anonymous.get("/api/v1/products", headers=headers).status for headers in asked]
    assert statuses == [200, 401, 401]
    shop.application.auth.logout(cookies[0])
    assert shop.anonymous.get("/api/v1/products", headers=asked[0]).status == 401

    waiting = _cookie_of_before(shop, "password")
    assert shop.application.auth.sign_in.pending(waiting) is not None
    entered = shop.application.auth.sign_in.advance(waiting, "password", NOWHERE, {})
    assert entered is not None and sought(SESSION, entered.token.encode()) == (
        shop.made.org_id,
        digest_of(entered.token),
    )
    assert shop.application.auth.sign_in.pending(waiting) is None


def test_a_waiting_session_is_found_in_the_organisation_that_its_token_names(any_shop: Shop) -> None:
    shop = any_shop
    other = establish(shop.holdfast.database, "Beta", "eve@beta.example", password="correct horse")
    user, now = directory.users_of(shop.holdfast.database, "ana@arcoiris.example")[0], time.time_ns() // 1000
    for org_id, found in ((shop.made.org_id, True), (other.org_id, False)):
        token = new_token(SESSION, org_id)
        begun = Begun(now, now + 60_000_000, "code", "", "")
        browser_sessions.begin(shop.holdfast.database, token.digest, user, begun)
        assert (shop.application.auth.sign_in.pending(token.text) is not None) is found


def test_new_cookies_and_till_tokens_name_their_organisation(any_shop: Shop) -> None:
    shop = any_shop
    cookie = shop.application.auth.login("ana@arcoiris.example", "correct horse")
    assert cookie is not None and sought(SESSION, cookie.encode()) == (shop.made.org_id, digest_of(cookie))
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    assert shop.anonymous.get("/api/v1/products", headers=headers).status == 200
    shop.application.auth.logout(cookie)
    assert shop.anonymous.get("/api/v1/products", headers=headers).status == 401

    shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "TILL-1"})
    token = shop.owner.post("/api/v1/registers/TILL-1/sessions", {"opening_float": "1.00"}).json()["token"]
    assert sought(TILL, token.encode()) == (shop.made.org_id, digest_of(token))
    headers = {"Authorization": f"Register {token}"}
    assert shop.anonymous.get("/api/v1/pos/session", headers=headers).status == 200


def test_a_key_in_another_organisation_than_it_names_is_unknown(any_shop: Shop) -> None:
    shop = any_shop
    other = establish(shop.holdfast.database, "Beta", "eve@beta.example", password="correct horse")
    planted = new_key(other.org_id, Role.OWNER)
    assert shop.holdfast.do(shop.made.actor, planted.command).answer.role == "owner"

    assert shop.owner.using(planted.api_key).get("/api/v1/products").status == 401


def test_nothing_is_told_of_organisations_that_exist(shop: Shop) -> None:
    """A made-up key of this organisation, of none, and of before are answered alike."""
    answers = []
    for token in (
        new_token(KEY, shop.made.org_id).text,
        new_token(KEY, ORGS[2]).text,
        "hf_" + secrets.token_urlsafe(32),
        "hf_x",
    ):
        answer = shop.owner.using(token).get("/api/v1/products")
        document = answer.json()
        del document["request_id"], answer.headers["x-request-id"]
        answers.append((answer.status, document, sorted(answer.headers.items())))

    assert answers[0][0] == 401 and answers.count(answers[0]) == len(answers)


def test_what_can_be_no_key_costs_no_look_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr(directory, "key_of", fail)
    monkeypatch.setattr(directory, "till_of", fail)
    monkeypatch.setattr(directory, "browser_session_of", fail)

    for headers in (
        {"Authorization": "Bearer hf_wrong"},
        {"Authorization": "Bearer " + new_token(TILL, ORGS[2]).text},
        {"Authorization": "Register nothing"},
        {"Cookie": f"{COOKIE}=nothing"},
    ):
        assert shop.anonymous.get("/api/v1/products", headers=headers).status == 401


def test_a_look_up_names_the_organisation(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = directory.key_of
    monkeypatch.setattr(directory, "key_of", lambda *given: asked.append(given[1:]) or real(*given))
    shop.application.auth._keys.forget_all()

    assert shop.owner.get("/api/v1/products").status == 200

    assert asked == [(digest_of(shop.made.api_key), shop.made.org_id)]


def test_both_secrets_of_a_rolled_key_are_one_caller(shop: Shop) -> None:
    made = shop.owner.post("/api/v1/api-keys", {"role": "staff"}).json()
    rolled = shop.owner.post(f"/api/v1/api-keys/{made['id']}/roll").json()

    async def who(key: str) -> Any:
        headers = {b"authorization": f"Bearer {key}".encode()}
        return (await shop.application.auth.identify(headers, "GET", origin=NOWHERE)).actor

    async def both() -> list[Any]:
        return list(await asyncio.gather(who(made["api_key"]), who(rolled["api_key"])))

    first, second = shop.owner.runner.run(both())
    assert first == second
