"""Every page and who may open it: a page that is new has to be in the table."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from holdfast.access import Role
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.web.pages import routes
from holdfast.web.pages.sections import SECTIONS, STARTS
from tests.pages.conftest import House

EVERYBODY = ("staff", "cashier", "manager", "owner")
MANAGERS = ("manager", "owner")
PAGES: dict[str, tuple[tuple[str, ...], int]] = {
    "GET /account": (EVERYBODY, 303),
    "GET /account/password": (EVERYBODY, 303),
    "GET /account/pin": (EVERYBODY, 303),
    "GET /account/two-steps": (EVERYBODY, 303),
    "GET /admin/inventory": (MANAGERS, 303),
    "GET /admin/inventory.csv": (MANAGERS, 303),
    "GET /admin/inventory/entry": (MANAGERS, 401),
    "GET /admin/inventory/live": (MANAGERS, 401),
    "GET /admin/inventory/rows": (MANAGERS, 401),
    "GET /admin/sales": (MANAGERS, 303),
    "GET /admin/sales/picking": (MANAGERS, 303),
    "GET /admin/sales/rows": (MANAGERS, 401),
    "GET /admin/sales/{sale_id}": (MANAGERS, 303),
    "GET /admin/sales/{sale_id}/part": (MANAGERS, 401),
    "GET /pos": (EVERYBODY, 303),
    "GET /pos/customer": (EVERYBODY, 303),
    "GET /simple": (EVERYBODY, 303),
    "GET /simple/count": (EVERYBODY, 303),
    "GET /simple/sell": (EVERYBODY, 303),
    "POST /account/look": (EVERYBODY, 303),
    "POST /demo/traffic": (MANAGERS, 303),
}
"""Who is let in, and what a stranger is answered."""

OPEN = {
    "GET /",
    "GET /pos/code.svg",
    "GET /sign-in",
    "GET /sign-in/code",
    "POST /account/password",
    "POST /account/pin",
    "POST /account/sessions/end",
    "POST /account/two-steps",
    "POST /account/two-steps/off",
    "POST /sign-in",
    "POST /sign-in/code",
    "POST /sign-out",
}
"""What asks for no role: doors, pictures of codes, and forms of one's own, which ask for a password (test_account)."""


def test_every_page_is_in_the_table() -> None:
    known = {
        f"{method} {route.path}"
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or ()) - {"HEAD"}
    }

    assert known == set(PAGES) | OPEN


@pytest.mark.parametrize("who", EVERYBODY)
def test_a_page_lets_in_whom_it_is_for(house: House, who: str) -> None:
    visitor = house.visitor(f"{who}@arcoiris.example")
    for page, (roles, _) in PAGES.items():
        method, path = page.split()
        status = (visitor.get(path) if method == "GET" else visitor.post(path, {})).status_code
        assert (status == 403) == (who not in roles), (page, status)
        assert status < 500, page


def test_a_stranger_is_sent_to_the_sign_in(house: House) -> None:
    stranger = house.visitor()
    for page, (_, status) in PAGES.items():
        method, path = page.split()
        answer = stranger.get(path) if method == "GET" else stranger.post(path, {})
        assert answer.status_code == status, page
        assert status != 303 or answer.headers["location"].startswith("/sign-in"), page


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_is_shown_a_section_or_begins_at_a_page_that_refuses_them(house: House, who: str) -> None:
    visitor = house.visitor(f"{who}@arcoiris.example")
    start = visitor.get("/").headers["location"]
    html = visitor.get(start)
    assert html.status_code == 200
    for section in SECTIONS:
        shown = f'<a href="{section.path}"' in html.text
        assert shown == (bool(section.name) and visitor.get(section.path).status_code == 200), section.path
    assert start in STARTS[Role(who)]


@pytest.mark.parametrize("who", EVERYBODY)
def test_in_simple_mode_everybody_begins_with_the_buttons_of_makers(house: House, who: str) -> None:
    house.shop.ok(ChangeSettings(mode="simple"))
    visitor = house.visitor(f"{who}@arcoiris.example")

    assert visitor.get("/").headers["location"] == "/simple"
    html = visitor.get("/simple").text
    stocks = who != "cashier"
    sections = {
        "/simple": True,
        "/simple/sell": True,
        "/simple/count": stocks,
        "/pos": True,
        "/admin/inventory": who in MANAGERS,
    }
    assert {path: f'<a href="{path}"' in html for path in sections} == sections
    buttons = {"made": stocks, "sold": True, "counted": stocks, "new": who in MANAGERS}
    assert {act: f'data-do="{act}"' in html for act in buttons} == buttons
