"""By HTTPS the browser is told to keep to it, and its cookies are this host's alone."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.settings import Config
from holdfast.web.server import create_application
from tests.pages.conftest import ORIGIN, House, Visitor
from tests.pages.household import PASSWORD

SECURE = "https://shop.example"
OWNER = "owner@arcoiris.example"
PATHS = ["/", "/sign-in", "/no/such/page", "/static/holdfast.css", "/api/v1/products", "/api/v1/nothing", "/healthz"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_over_https_asks_for_https(house: House, path: str) -> None:
    over_tls = house.visitor(origin=SECURE).get(path)
    plain = house.visitor().get(path)

    assert over_tls.headers.get_list("strict-transport-security") == ["max-age=31536000"]
    assert "strict-transport-security" not in plain.headers


def test_cookies_over_https_belong_to_this_host_alone(house: House) -> None:
    visitor = house.visitor(origin=SECURE)
    cookies = visitor.post("/sign-in", {"email": OWNER, "password": PASSWORD}).headers.get_list("set-cookie")

    assert len(cookies) == 2, cookies
    for cookie in cookies:
        name, *marks = cookie.split("; ")
        assert name.startswith("__Host-holdfast_"), cookie
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(marks), cookie
        assert not any(mark.startswith("Domain") for mark in marks), cookie
    assert visitor.get("/admin/inventory").status_code == 200

    left = visitor.post("/sign-out", {}).headers["set-cookie"]
    assert left.startswith("__Host-holdfast_session=;") and "Max-Age=0" in left and "Secure" in left
    assert visitor.get("/admin/inventory").status_code == 303


def test_a_cookie_without_the_prefix_is_nobody_over_https(house: House) -> None:
    """A neighbour in the same domain can set such a cookie, and so can who sits on a plain connection."""
    token = house.application.auth.login(OWNER, PASSWORD)
    planted = {"Cookie": f"holdfast_session={token}"}

    assert house.visitor().get("/admin/inventory", headers=planted).status_code == 200
    assert house.visitor(origin=SECURE).get("/admin/inventory", headers=planted).status_code == 303
    own = {"Cookie": f"__Host-holdfast_session={token}"}
    assert house.visitor(origin=SECURE).get("/admin/inventory", headers=own).status_code == 200
    assert house.visitor().get("/admin/inventory", headers=own).status_code == 303


@pytest.mark.parametrize(
    ("here", "sender", "status"),
    [
        (SECURE, SECURE, 303),
        (SECURE, ORIGIN, 403),
        (SECURE, "https://shop.example:8443", 403),
        (SECURE, "https://shop.example.evil.example", 403),
        (SECURE, "null", 403),
        (ORIGIN, ORIGIN, 303),
        (ORIGIN, SECURE, 403),
        (ORIGIN, "http://evil.example", 403),
    ],
)
def test_scheme_host_and_port_of_the_sender_are_ours(house: House, here: str, sender: str, status: int) -> None:
    fields = {"email": OWNER, "password": PASSWORD}

    assert house.visitor(origin=here).post("/sign-in", fields, origin=sender).status_code == status


@pytest.mark.parametrize("config", [{"secure_cookies": True}, {"tls_certificate": "a.pem", "tls_key": "k.pem"}])
def test_a_server_that_is_reached_by_https_alone_says_so_behind_a_silent_proxy(
    house: House, config: dict[str, object]
) -> None:
    """The proxy ends TLS and does not tell: the server sees plain HTTP, the browser's page is at https."""
    application = create_application(house.shop.holdfast, Config(**config))  # type: ignore[arg-type] # some settings
    with asyncio.Runner() as runner:
        visitor = Visitor(application, runner)
        entered = visitor.post("/sign-in", {"email": OWNER, "password": PASSWORD}, origin=SECURE)

    assert entered.status_code == 303
    assert entered.headers["set-cookie"].startswith("__Host-holdfast_session=")
    assert entered.headers["strict-transport-security"] == "max-age=31536000"
