"""What every page has: headers, a frame, a door, and an answer when something is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import holdfast.web
from tests.pages.conftest import House
from tests.pages.household import PASSWORD

MANAGER = "manager@arcoiris.example"
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
WEB = Path(holdfast.web.__file__).parent


@pytest.mark.parametrize("path", ["/", "/sign-in", "/admin/inventory", "/nowhere", "/static/holdfast.css"])
def test_every_answer_has_the_strict_policy(house: House, path: str) -> None:
    answer = house.visitor().get(path)

    assert set(answer.headers["content-security-policy"].split("; ")) == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


def test_templates_hold_no_inline_script_style_or_foreign_address() -> None:
    for template in (WEB / "templates").glob("*.html"):
        if template.name == "docs.html":
            continue
        text = template.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), template.name
        assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)", text), template.name
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), template.name


def test_static_files_load_nothing_from_elsewhere() -> None:
    for path in (WEB / "static").iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|url\((?!#)|@import", text), path.name


def test_the_start_page_sends_everybody_where_they_belong(house: House) -> None:
    assert house.visitor().get("/").headers["location"] == "/sign-in"
    assert house.visitor(MANAGER).get("/").headers["location"] == "/admin/inventory"


def test_the_unknown_are_asked_to_sign_in_and_come_back(house: House) -> None:
    visitor = house.visitor()

    sent = visitor.get("/admin/inventory?search=mug")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=%2Fadmin%2Finventory%3Fsearch%3Dmug")
    form = visitor.get(sent.headers["location"])
    assert 'name="next" value="/admin/inventory?search=mug"' in form.text

    fields = {"email": MANAGER, "password": PASSWORD, "next": "/admin/inventory?search=mug"}
    entered = visitor.post("/sign-in", fields)
    assert (entered.status_code, entered.headers["location"]) == (303, "/admin/inventory?search=mug")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert visitor.get("/admin/inventory").status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/a\r\nX: y"])
def test_signing_in_never_leads_to_another_site(house: House, elsewhere: str) -> None:
    answer = house.visitor().post("/sign-in", {"email": MANAGER, "password": PASSWORD, "next": elsewhere})

    assert answer.headers["location"] == "/"


def test_a_wrong_password_is_said_in_plain_words(house: House) -> None:
    answer = house.visitor().post("/sign-in", {"email": MANAGER, "password": "nonsense"})

    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert f'value="{MANAGER}"' in answer.text and "nonsense" not in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_attempts_have_to_wait(house: House) -> None:
    visitor = house.visitor()
    answers = [visitor.post("/sign-in", {"email": MANAGER, "password": "wrong"}) for _ in range(12)]

    assert answers[-1].status_code == 429
    assert "Too many attempts" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_signing_out_ends_the_session(house: House) -> None:
    visitor = house.visitor(MANAGER)
    answer = visitor.post("/sign-out", {})

    assert answer.headers["location"] == "/sign-in?signed_out"
    assert visitor.get("/admin/inventory").status_code == 303


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/demo/traffic"])
def test_forms_of_other_sites_are_refused(house: House, path: str) -> None:
    visitor = house.visitor(MANAGER)

    answer = visitor.post(path, {"action": "start"}, origin="https://evil.example")

    assert answer.status_code == 403
    assert visitor.get("/admin/inventory").status_code == 200


def test_a_form_has_a_bound(house: House) -> None:
    assert house.visitor().post("/sign-in", {"email": "x" * 20_000, "password": ""}).status_code == 413


def test_an_unknown_address_has_a_page(house: House) -> None:
    stranger, manager = house.visitor().get("/nowhere"), house.visitor(MANAGER).get("/nowhere")

    assert stranger.status_code == manager.status_code == 404
    assert "nothing at this address" in stranger.text
    assert "Sign out" in manager.text and "Sign out" not in stranger.text


def test_a_wrong_method_has_a_page(house: House) -> None:
    answer = house.visitor().get("/sign-out")

    assert answer.status_code == 405
    assert "cannot be done" in answer.text


def test_a_fault_shows_a_reference_and_nothing_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = house.visitor(MANAGER)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(house.shop.holdfast.reports, "levels", broken)
    answer = visitor.get("/admin/inventory", headers={"X-Request-Id": "reference-7"})

    assert answer.status_code == 500
    assert "reference-7" in answer.text and answer.headers["x-request-id"] == "reference-7"
    assert "secret" not in answer.text


class Traffic:
    """Customers that only know whether they are let in."""

    running = False

    def start(self) -> None:
        """Let them in."""
        self.running = True

    def stop(self) -> None:
        """Send them home."""
        self.running = False


def test_customers_are_let_in_and_stopped_in_a_demo(house: House) -> None:
    traffic, visitor = Traffic(), house.visitor(MANAGER)
    assert "Let customers in" not in visitor.get("/admin/inventory").text
    assert visitor.post("/demo/traffic", {"action": "start"}).status_code == 404

    house.demo(traffic)
    assert "Let customers in" in visitor.get("/admin/inventory").text
    answer = visitor.post("/demo/traffic", {"action": "start", "next": "/admin/inventory"})
    assert (answer.status_code, answer.headers["location"], traffic.running) == (303, "/admin/inventory", True)
    assert ">Stop<" in visitor.get("/admin/inventory").text
    stopped = visitor.post("/demo/traffic", {"action": "stop"}, headers={"Accept": "application/json"})
    assert (stopped.json(), traffic.running) == ({"running": False}, False)
    assert visitor.post("/demo/traffic", {"action": "party"}).status_code == 400


def test_only_managers_let_customers_in(house: House) -> None:
    house.demo(Traffic())

    assert house.visitor().post("/demo/traffic", {"action": "start"}).status_code == 303
    assert house.visitor("cashier@arcoiris.example").post("/demo/traffic", {"action": "start"}).status_code == 403
