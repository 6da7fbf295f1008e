"""A browser that is a till: its token and its cashier in a cookie that no script reads and no other site can use."""

from __future__ import annotations

import time
from typing import Any

import pytest

from holdfast.web.identity import till_cookie
from tests.api.client import Client, Response
from tests.api.conftest import Shop
from tests.api.test_registers import Till, east, opened, register, user
from tests.shop import rows

OWN = {"Sec-Fetch-Site": "same-origin"}
FLOAT = {"opening_float": "100.00", "cookie": True}


class Browser:
    """A browser at a till: it keeps the cookie that it is given, and says where its page is from."""

    def __init__(self, client: Client, **headers: str) -> None:
        self.client = client.using(None)
        self.headers = {"Sec-Fetch-Site": "same-origin", **headers}
        self.cookie: str | None = None

    def keep(self, answer: Response) -> Response:
        """Keep the cookie of an answer, or lose it."""
        given = answer.headers.get("set-cookie")
        if given is not None:
            value, *attributes = given.split("; ")
            self.cookie = None if "Max-Age=0" in attributes else value
        return answer

    def get(self, path: str, **headers: str) -> Response:
        """GET."""
        return self.request("GET", path, None, headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Response:
        """POST."""
        return self.request("POST", path, body, headers)

    def request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Response:
        """Any request."""
        cookie = {} if self.cookie is None else {"Cookie": self.cookie}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.keep(self.client.request(method, f"/api/v1{path}", body, headers=self.headers | cookie | sent))


def at(shop: Shop, register_id: str, **more: Any) -> Browser:
    """The browser in which a session was just opened."""
    browser = Browser(shop.owner)
    made = shop.owner.post(f"/api/v1/registers/{register_id}/sessions", FLOAT | more, headers=OWN)
    assert made.status == 201, made
    browser.keep(made)
    return browser


def test_the_token_is_in_a_strict_cookie_and_in_no_body(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90")
    made = shop.owner.post(f"/api/v1/registers/{register(shop)}/sessions", FLOAT, headers=OWN)
    browser = Browser(shop.owner)
    browser.keep(made)

    value, *attributes = made.headers["set-cookie"].split("; ")
    assert value.startswith("holdfast_till=till_")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {*attributes}
    assert made.json()["token"] is None
    assert value.partition("=")[2] not in made.content.decode()
    session = browser.get("/pos/session")
    assert (session.status, session.json()["id"]) == (200, made.json()["id"])
    cart = browser.post("/sales", {"lines": [{"product_id": "MUG-1", "quantity": 1}]}, Authorization="Register")
    assert (cart.status, cart.json()["source"]) == (201, "pos")
    assert browser.get("/sales").code == "UNAUTHORIZED"  # elsewhere it has to be said that a till asks


def test_over_https_the_name_is_bound_to_the_host(shop: Shop) -> None:
    text = till_cookie.till_cookie("till_x", secure=True)

    assert text.startswith("__Host-holdfast_till=till_x; ") and text.endswith("; SameSite=Strict; Secure")
    assert till_cookie.shown_till({b"cookie": b"holdfast_till=till_x"}, secure=True) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_page_uses_it(any_shop: Shop, site: str) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90")
    browser = at(shop, register(shop))
    lines = {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1}]}
    elsewhere = {"Sec_Fetch_Site": site, "Origin": "https://evil.example"}

    for answer in (
        browser.post("/pos/quote", lines, **elsewhere),
        browser.post("/pos/session/close", {"counted_cash": "0.00"}, **elsewhere),
        browser.post("/pos/cashier", None, X_Cashier_Pin="4711", **elsewhere),
        browser.post("/sales", lines, Authorization="Register", **elsewhere),
        browser.get("/pos/session", **elsewhere),
    ):
        assert (answer.status, answer.code) == (403, "FORBIDDEN"), answer
    browser.headers = {}
    assert browser.post("/pos/quote", lines).code == "FORBIDDEN"  # it does not say where from
    assert browser.post("/pos/quote", lines, Origin="http://shop.example:8080").code == "FORBIDDEN"
    assert browser.post("/pos/quote", lines, Origin="http://shop.example").status == 200
    for method in ("PUT", "PATCH", "DELETE"):
        cookie = browser.request(method, "/sales/x", {}, {"Authorization": "Register", "Sec_Fetch_Site": site})
        assert cookie.status in (403, 405)


def test_only_a_page_of_this_server_asks_for_it(any_shop: Shop) -> None:
    shop = any_shop
    path = f"/api/v1/registers/{register(shop)}/sessions"

    for headers in ({}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}):
        assert shop.owner.post(path, FLOAT, headers=headers).code == "FORBIDDEN"
    assert shop.owner.post(path, FLOAT, headers=OWN).status == 201


def test_closing_takes_it_away_also_when_it_is_asked_again(any_shop: Shop) -> None:
    shop = any_shop
    browser = at(shop, register(shop))
    cookie = browser.cookie
    first = browser.post("/pos/session/close", {"counted_cash": "100.00"}, Idempotency_Key="close")

    assert (first.status, browser.cookie) == (200, None)
    browser.cookie = cookie  # the answer was lost, and the browser still has it
    again = browser.post("/pos/session/close", {"counted_cash": "100.00"}, Idempotency_Key="close")
    assert (again.content, again.headers["idempotent-replayed"], browser.cookie) == (first.content, "true", None)
    browser.cookie = cookie
    elsewhere = browser.post(
        "/pos/session/close", {"counted_cash": "100.00"}, Idempotency_Key="close", Sec_Fetch_Site="cross-site"
    )
    assert elsewhere.status == 403
    assert browser.get("/pos/session").json()["detail"] == "The register session is not open."


def test_a_cashier_takes_over_by_pin(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90")
    bo, ida = user(shop, "bo", "cashier", "4711"), user(shop, "ida", "manager", "481516")
    browser = at(shop, register(shop), pin="4711")
    cashier = browser.get("/pos/cashier").json()
    assert (cashier["id"], cashier["name"], cashier["role"]) == (bo, "user:bo@arco.example", "cashier")
    assert cashier["until"] is not None

    taken = browser.post("/pos/cashier", X_Cashier_Pin="481516")

    assert (taken.status, taken.json()["id"], taken.json()["role"]) == (200, ida, "manager")
    assert browser.get("/pos/cashier").json()["id"] == ida
    assert browser.get("/pos/session").json()["expected_cash"] == "100.00"  # a manager sees it
    assert browser.get("/pos/cashier", X_Cashier_Pin="4711").json()["id"] == bo  # for one request
    assert browser.post("/pos/cashier", X_Cashier_Pin="9999").code == "UNAUTHORIZED"
    assert browser.post("/pos/cashier").code == "INVALID_REQUEST"
    assert browser.get("/pos/cashier").json()["id"] == ida
    lines = {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1}]}
    paid = lines | {"payments": [{"method": "cash", "amount": "9.90"}]}
    assert browser.post("/pos/checkout", paid).status == 201
    query = "SELECT actor FROM sale WHERE org_id = :org"
    assert [one["actor"] for one in rows(shop.holdfast.database, query, org=shop.made.org_id)] == [
        "user:ida@arco.example"
    ]
    notes = shop.owner.get("/api/v1/audit").json()["items"]
    assert "cashier_changed" in {one["action"] for one in notes}


def test_taking_over_again_under_its_key_is_the_same_cashier(any_shop: Shop) -> None:
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    user(shop, "ida", "cashier", "4812")
    browser = at(shop, register(shop))
    key = {"Idempotency_Key": "over"}
    first = browser.post("/pos/cashier", X_Cashier_Pin="4711", **key)

    again = browser.post("/pos/cashier", X_Cashier_Pin="4711", **key)

    assert (again.headers["idempotent-replayed"], again.json()["id"]) == ("true", first.json()["id"])
    assert "set-cookie" in again.headers
    assert browser.post("/pos/cashier", X_Cashier_Pin="4812", **key).code == "IDEMPOTENCY_KEY_REUSED"


def test_after_ten_minutes_the_pin_is_asked_for_and_nobody_else_acts_instead(
    any_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manager has opened the till: who comes back late is not the manager."""
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90")
    user(shop, "bo", "cashier", "4711")
    browser = at(shop, register(shop))
    browser.post("/pos/cashier", X_Cashier_Pin="4711")
    lines = {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1}]}
    began = int(time.time())
    real, passed = time.time, [0.0]
    monkeypatch.setattr("holdfast.web.identity.auth.time.time", lambda: real() + passed[0])

    passed[0] = 300
    assert "set-cookie" not in browser.get("/pos/session").headers  # who only looks is idle
    assert "set-cookie" in browser.post("/pos/quote", lines).headers
    passed[0] = 800
    assert browser.post("/pos/quote", lines).status == 200
    passed[0] = 800 + till_cookie.CASHIER_IDLE_SECONDS + 5
    late = browser.post("/pos/quote", lines)

    assert (late.status, late.json()["pin_needed"]) == (401, True)
    assert browser.get("/pos/session").json()["pin_needed"]
    assert browser.post("/pos/cashier", X_Cashier_Pin="4711").status == 200
    assert browser.post("/pos/quote", lines).status == 200
    assert int(real()) - began < 300


def test_a_mark_is_good_for_one_session_one_user_and_one_pin(any_shop: Shop) -> None:
    shop = any_shop
    bo, ida = user(shop, "bo", "cashier", "4711"), user(shop, "ida", "manager", "481516")
    one, two = at(shop, register(shop), pin="4711"), at(shop, register(shop, "TILL-2"))
    assert one.cookie is not None and two.cookie is not None
    token, who, since, mark = one.cookie.split(".")
    assert who == bo

    for forged in (
        f"{two.cookie}.{who}.{since}.{mark}",  # of another session
        f"{token}.{ida}.{since}.{mark}",  # another user
        f"{token}.{who}.{int(since) + 1}.{mark}",
        f"{token}.{who}.{since}.{mark[:-1]}",
        f"{token}.{who}.{since}.",
        f"{token}.{who}",
        f"{token}..",
        f"{token}.x.1.y",
    ):
        two.cookie = forged
        answer = two.get("/pos/session")
        assert (answer.status, answer.json().get("pin_needed")) == (401, True), forged
    assert one.get("/pos/session").status == 200
    changed = shop.owner.patch(f"/api/v1/users/{bo}", {"pin": "4713"})
    assert changed.status == 200, changed
    time.sleep(0.6)
    assert one.get("/pos/session").json()["pin_needed"]


def test_who_is_gone_is_at_no_till(any_shop: Shop) -> None:
    shop = any_shop
    bo = user(shop, "bo", "cashier", "4711")
    browser = at(shop, register(shop))
    assert browser.post("/pos/cashier", X_Cashier_Pin="4711").status == 200

    assert shop.owner.delete(f"/api/v1/users/{bo}").status == 204
    time.sleep(0.6)

    assert browser.get("/pos/session").json()["pin_needed"]


def test_a_token_in_a_header_has_no_cashier_to_keep(shop: Shop) -> None:
    user(shop, "bo", "cashier", "4711")
    till: Till = opened(shop, register(shop))

    assert till.with_pin("4711").post("/pos/cashier").code == "INVALID_REQUEST"
    cashier = till.with_pin("4711").get("/pos/cashier").json()
    assert (cashier["name"], cashier["until"]) == ("user:bo@arco.example", None)


def test_a_till_hears_of_its_store_and_of_itself(any_shop: Shop) -> None:
    shop = any_shop
    east(shop)
    user(shop, "bo", "cashier", "4711")
    shop.product("MUG-1", 5, price="9.90")
    browser = at(shop, register(shop), pin="4711")
    other = opened(shop, register(shop, "TILL-2", "EAST"))
    cashier = shop.caller("cashier")
    assert cashier.get("/api/v1/events").code == "FORBIDDEN"
    begin = browser.get("/events?cursor=end", Authorization="Register").json()
    assert begin["items"] == []

    cart = browser.post("/sales", {"lines": [{"product_id": "MUG-1", "quantity": 1}]}, Authorization="Register").json()
    browser.post(f"/sales/{cart['id']}/suspend", {}, Authorization="Register")
    other.post("/sales", {"lines": []})
    other.close("100.00")
    browser.post("/pos/cash", {"direction": "in", "amount": "1.00", "reason": "coins"})
    shop.owner.patch(f"/api/v1/users/{user(shop, 'ida', 'cashier', '4812')}", {"role": "staff"})

    path = f"/events?cursor={begin['next_cursor']}"
    heard = [event["type"] for event in browser.get(path, Authorization="Register").json()["items"]]
    everything = browser.get("/events?limit=200", Authorization="Register").json()["items"]

    assert heard == ["InventoryReserved", "SaleOpened", "SaleSuspended"]
    types = [event["type"] for event in everything]
    assert types.count("RegisterOpened") == 1 and "RegisterClosed" not in types
    assert not {"UserRoleChanged", "KeyRoleChanged", "PinLocked"} & set(types)
    stream = browser.get(path, Authorization="Register", Accept="text/event-stream")
    assert b"event: SaleSuspended" in stream.content and b"UserRoleChanged" not in stream.content
    assert "content-encoding" not in stream.headers
    browser.post("/pos/session/close", {"counted_cash": "101.00"})
    assert browser.get(path, Authorization="Register").status == 401
