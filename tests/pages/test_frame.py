"""What every page has: headers, a frame, a door, and an answer when something is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import holdfast.web
from holdfast.web.pages import sections
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
    for path in filter(Path.is_file, (WEB / "static").rglob("*")):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|url\((?!#)|@import", text), path.name


def test_the_start_page_sends_everybody_where_they_belong(house: House) -> None:
    assert house.visitor().get("/").headers["location"] == "/sign-in"
    assert house.visitor(MANAGER).get("/").headers["location"] == "/admin/inventory"
    assert house.visitor("cashier@arcoiris.example").get("/").headers["location"] == "/pos"


def test_nobody_signs_in_to_a_page_that_refuses_them(house: House) -> None:
    """Somebody else's session ended on the page; a cashier signs in where it was asked for."""
    fields = {"password": PASSWORD, "next": "/admin/inventory?search=mug"}
    visitor = house.visitor()
    assert visitor.post("/sign-in", {"email": "staff@arcoiris.example", **fields}).headers["location"] == "/"
    assert visitor.get("/").headers["location"] == "/pos"
    assert visitor.get("/pos").status_code == 200
    assert visitor.post("/sign-in", {"email": MANAGER, **fields}).headers["location"] == fields["next"]


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


def test_the_look_is_kept_for_the_person_and_not_for_the_next(house: House) -> None:
    visitor = house.visitor(MANAGER)
    assert 'data-density="comfortable"' in visitor.get("/admin/inventory").text

    chosen = visitor.post("/account/look", {"theme": "dark", "density": "compact", "next": "/admin/inventory?search=a"})
    assert chosen.headers["location"] == "/admin/inventory?search=a"
    shown = visitor.get("/admin/inventory").text
    assert 'data-theme="dark"' in shown and 'data-density="compact"' in shown
    visitor.post("/sign-out", {})
    stranger = visitor.get("/sign-in").text
    assert 'data-theme="dark"' in stranger and 'data-density="comfortable"' in stranger
    visitor.sign_in("owner@arcoiris.example")
    other = visitor.get("/admin/inventory").text
    assert "data-theme" not in other and 'data-density="comfortable"' in other
    assert visitor.sign_in(MANAGER).get("/account").text.count('data-theme="dark" data-density="compact"') == 1


@pytest.mark.parametrize("fields", [{"theme": "pink"}, {"density": "none"}])
def test_a_look_that_there_is_not_is_refused(house: House, fields: dict[str, str]) -> None:
    visitor = house.visitor(MANAGER)

    assert visitor.post("/account/look", fields).status_code == 400
    assert 'data-density="comfortable"' in visitor.get("/account").text


@pytest.mark.parametrize("kept", ["", "pink.none.x", "....", "dark", "dark.compact.'\"><i>"])
def test_a_look_that_somebody_spoilt_is_what_the_system_says(house: House, kept: str) -> None:
    answer = house.visitor().get("/sign-in", headers={"Cookie": f"holdfast_look={kept}"})

    assert answer.status_code == 200 and "<i>" not in answer.text
    assert ("data-theme" in answer.text) == kept.startswith("dark")


def test_the_store_is_remembered_and_stands_in_the_address(house: House) -> None:
    visitor = house.visitor(MANAGER)
    page = "/admin/inventory"
    assert '<option value="EAST" selected' not in visitor.get(page).text

    chosen = visitor.get(f"{page}?store=EAST")
    assert '<option value="EAST" selected' in chosen.text and f'href="{page}?store=EAST"' in chosen.text
    assert visitor.get(f"{page}?search=a&low_stock=true").headers["location"] == (
        f"{page}?search=a&low_stock=true&store=EAST"
    )
    assert visitor.get(f"{page}?store=nowhere").headers["location"] == f"{page}?store=all"
    assert visitor.get(f"{page}?store=all").status_code == 200
    assert visitor.get(page).status_code == 200, "all stores are remembered too"
    visitor.get(f"{page}?store={house.shop.stores['EAST']}")
    assert visitor.get(page).headers["location"] == f"{page}?store=EAST"


def test_who_has_one_store_has_no_switch(house: House) -> None:
    assert "data-stores" in house.visitor(MANAGER).get("/admin/inventory").text
    assert "data-stores" not in house.visitor("east@arcoiris.example").get("/admin/inventory").text


def test_stock_is_searched_from_every_page_by_who_may_see_it(house: House) -> None:
    manager, cashier = house.visitor(MANAGER), house.visitor("cashier@arcoiris.example")

    assert 'class="finder" action="/admin/inventory"' in manager.get("/account").text
    assert "finder" not in cashier.get("/account").text and "finder" not in house.visitor().get("/sign-in").text
    assert manager.get("/admin/inventory").text.count('role="search"') == 1
    assert "finder" not in manager.get("/pos").text, "a till has a field of its own to scan and search"


def test_a_device_becomes_a_till_where_there_is_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Use this device as a till"
    assert words in house.visitor().get("/sign-in").text
    monkeypatch.setattr(sections, "SECTIONS", tuple(one for one in sections.SECTIONS if one.path != sections.TILL))
    assert words not in house.visitor().get("/sign-in").text


def test_both_ways_to_be_dark_are_the_same() -> None:
    text = (WEB / "static" / "tokens.css").read_text()
    first = re.search(r"prefers-color-scheme: dark\) \{\s*:root[^{]*\{([^}]*)\}", text)
    second = re.search(r':root\[data-theme="dark"\] \{([^}]*)\}', text)
    assert first is not None and second is not None

    by_system, by_choice = (sorted(re.findall(r"--[\w-]+: [^;]+", one[1])) for one in (first, second))
    assert by_system == by_choice and len(by_system) > 20


def test_colours_stand_in_the_tokens_alone() -> None:
    for path in (WEB / "static").rglob("*.css"):
        found = set(re.findall(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|lab|lch|oklch)\(", path.read_text()))
        assert path.name == "tokens.css" or not found, (path.name, found)


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
