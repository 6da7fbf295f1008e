"""One's account and the steps of signing in, as pages without scripts."""

from __future__ import annotations

import html
import re
import time

import pyotp
import pytest

from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.organisation.users import ChangeUser
from holdfast.db import browser_sessions
from holdfast.db.credentials import users_of
from tests.pages.conftest import House, Visitor
from tests.pages.household import PASSWORD

CASHIER = "cashier@arcoiris.example"
NEW = "battery staple"


def secret_of(text: str) -> str:
    """The key that the page shows."""
    found = re.search(r'name="secret" value="([A-Z2-7]{32})"', text)
    assert found is not None and "data:image/svg+xml" in text and "otpauth://totp/" in html.unescape(text)
    return found[1]


def enter(house: House, email: str = CASHIER, password: str = PASSWORD) -> tuple[Visitor, str]:
    """Somebody after the password, and where they are sent."""
    visitor = house.visitor()
    answer = visitor.post("/sign-in", {"email": email, "password": password, "next": "/account"})
    assert answer.status_code == 303
    return visitor, answer.headers["location"]


def test_the_account_shows_where_one_is_signed_in(house: House) -> None:
    first, second = house.visitor(CASHIER), house.visitor(CASHIER)
    text = second.get("/account").text

    assert text.count("<li>\n        <p><strong>") == 2 and text.count("(this one)") == 1
    assert "127.0.0.1" in text and 'href="/account"' in text
    assert second.post("/account/sessions/end", {}).headers["location"] == "/account?done=ended"
    assert first.get("/account").status_code == 303
    assert second.get("/account?done=ended").status_code == 200


def test_a_password_is_changed_with_the_present_one(house: House) -> None:
    other, visitor = house.visitor(CASHIER), house.visitor(CASHIER)
    fields = {"current_password": PASSWORD, "password": NEW, "again": NEW}

    for wrong, words in (
        ({"current_password": "nonsense!"}, "not your present password"),
        ({"again": "something else"}, "not the same both times"),
        ({"password": "password1", "again": "password1"}, "guessed first"),
        ({"password": CASHIER, "again": CASHIER}, "email address"),
    ):
        answer = visitor.post("/account/password", {**fields, **wrong})
        assert (answer.status_code, words in html.unescape(answer.text)) == (400, True), words
        assert NEW not in answer.text
    answer = visitor.post("/account/password", fields)
    time.sleep(0.6)

    assert answer.headers["location"] == "/account?done=password"
    assert visitor.get("/account?done=password").status_code == 200
    assert other.get("/account").status_code == 303
    assert house.visitor().post("/sign-in", {"email": CASHIER, "password": PASSWORD}).status_code == 401
    house.visitor().sign_in(CASHIER, NEW)


def test_signing_in_again_ends_the_session_before(house: House) -> None:
    visitor = house.visitor(CASHIER)
    before = {"Cookie": f"holdfast_session={visitor.session}"}
    assert visitor.post("/sign-in", {"email": CASHIER, "password": "wrong password"}).status_code == 401
    assert house.visitor().get("/account", headers=before).status_code == 200

    visitor.sign_in(CASHIER)

    assert house.visitor().get("/account", headers=before).status_code == 303
    assert visitor.get("/account").status_code == 200


def test_a_password_with_something_behind_it_is_another_one(house: House) -> None:
    long = "correct horse " * 14 + "batt"
    assert len(long) == 200
    visitor = house.visitor(CASHIER)
    fields = {"current_password": PASSWORD, "password": long, "again": long}
    assert visitor.post("/account/password", fields).status_code == 303

    fields = {"current_password": long + "x", "password": "battery staple", "again": "battery staple"}
    assert visitor.post("/account/password", fields).status_code == 400


def test_a_first_password_is_changed_before_anything_else(house: House) -> None:
    user = users_of(house.shop.holdfast.database, CASHIER)[0]
    house.shop.ok(ChangeUser(user.id, first_password=True))
    visitor, sent = enter(house)

    assert sent == "/account/password?next=%2Faccount"
    assert visitor.get("/account").status_code == 303
    form = visitor.get(sent)
    assert "password of your own" in form.text and "Sign out" not in form.text
    fields = {"current_password": PASSWORD, "password": NEW, "again": NEW, "next": "/account"}
    same = visitor.post("/account/password", {**fields, "password": PASSWORD, "again": PASSWORD})
    assert "have already" in same.text
    answer = visitor.post("/account/password", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert visitor.get("/account").status_code == 200
    assert enter(house, password=NEW)[1] == "/account"


def test_two_steps_are_set_up_asked_for_and_switched_off(house: House) -> None:
    visitor = house.visitor(CASHIER)
    secret = secret_of(visitor.get("/account/two-steps").text)
    fields = {"secret": secret, "current_password": PASSWORD, "code": "000000"}
    assert visitor.post("/account/two-steps", fields).status_code == 400
    made = visitor.post("/account/two-steps", {**fields, "code": pyotp.TOTP(secret).now()})
    codes = re.findall(r"<code>((?:[a-z0-9]{7}-){3}[a-z0-9]{7})</code>", made.text)

    assert made.status_code == 200 and len(set(codes)) == 10
    other, sent = enter(house)
    assert sent == "/sign-in/code?next=%2Faccount"
    assert other.get("/account").status_code == 303
    wrong = other.post("/sign-in/code", {"code": "123", "next": "/account"})
    assert wrong.status_code == 401 and "code is wrong" in wrong.text
    right = other.post("/sign-in/code", {"code": codes[0], "next": "/account"})
    assert (right.status_code, right.headers["location"]) == (303, "/account")
    assert "9 recovery codes" in other.get("/account").text
    assert other.post("/account/two-steps/off", {"current_password": "nonsense!"}).status_code == 400
    off = {"current_password": PASSWORD, "present_code": "000000"}
    refused = other.post("/account/two-steps/off", off)
    assert refused.status_code == 400 and "nor a recovery code" in refused.text
    assert other.post("/account/two-steps/off", {**off, "present_code": codes[1]}).status_code == 303
    assert enter(house)[1] == "/account"


def test_a_role_that_needs_two_steps_sets_them_up_first(house: House) -> None:
    house.shop.ok(ChangeSettings(totp_roles=("cashier",)))
    visitor, sent = enter(house)

    assert sent == "/account/two-steps?next=%2Faccount"
    secret = secret_of(visitor.get(sent).text)
    code = pyotp.TOTP(secret).now()
    assert "recovery codes" in visitor.post("/account/two-steps", {"secret": secret, "code": code}).text
    assert visitor.get("/account").status_code == 200
    kept = visitor.post("/account/two-steps/off", {"current_password": PASSWORD})
    assert kept.status_code == 400 and "needs two steps" in kept.text


def test_a_session_from_before_replaces_no_second_factor(house: House) -> None:
    """Somebody with the password began to sign in before the second step was there."""
    house.shop.ok(ChangeSettings(totp_roles=("cashier",)))
    older, visitor = enter(house)[0], enter(house)[0]
    seen = secret_of(older.get("/account/two-steps").text)
    secret = secret_of(visitor.get("/account/two-steps").text)
    kept = visitor.post("/account/two-steps", {"secret": secret, "code": pyotp.TOTP(secret).now()})
    assert "recovery codes" in kept.text

    late = older.post("/account/two-steps", {"secret": seen, "code": pyotp.TOTP(seen).now()})

    assert (late.status_code, late.headers["location"]) == (303, "/sign-in?next=/account")
    assert older.get("/account/two-steps").status_code == 303
    user = users_of(house.shop.holdfast.database, CASHIER)[0]
    factor = browser_sessions.factor(house.shop.holdfast.database, user.org_id, user.id)
    assert factor is not None and factor.secret == secret


def test_a_second_factor_is_replaced_with_its_code(house: House) -> None:
    visitor = house.visitor(CASHIER)
    first = secret_of(visitor.get("/account/two-steps").text)
    made = visitor.post(
        "/account/two-steps",
        {"secret": first, "code": pyotp.TOTP(first).now(), "current_password": PASSWORD},
    )
    recovery = re.findall(r"<code>((?:[a-z0-9]{7}-){3}[a-z0-9]{7})</code>", made.text)[0]
    page = visitor.get("/account/two-steps").text
    second = secret_of(page)
    fields = {"secret": second, "code": pyotp.TOTP(second).now(), "current_password": PASSWORD}

    assert 'name="present_code"' in page
    assert visitor.post("/account/two-steps", fields).status_code == 400
    assert visitor.post("/account/two-steps", {**fields, "present_code": recovery}).status_code == 200
    user = users_of(house.shop.holdfast.database, CASHIER)[0]
    factor = browser_sessions.factor(house.shop.holdfast.database, user.org_id, user.id)
    assert factor is not None and factor.secret == second


def test_a_pin_is_changed_with_the_password(house: House) -> None:
    visitor, manager = house.visitor(CASHIER), house.visitor("manager@arcoiris.example")
    fields = {"current_password": PASSWORD, "pin": "4711"}

    assert visitor.post("/account/pin", {**fields, "pin": "47"}).status_code == 400
    assert visitor.post("/account/pin", {**fields, "current_password": "nonsense!"}).status_code == 400
    assert visitor.post("/account/pin", fields).headers["location"] == "/account?done=pin"
    short = manager.post("/account/pin", fields)
    assert short.status_code == 400 and "6 to 8 digits" in short.text
    assert manager.post("/account/pin", {**fields, "pin": "471100"}).status_code == 303
    assert "Another user has that PIN" in house.visitor("staff@arcoiris.example").post("/account/pin", fields).text


def test_a_known_browser_keeps_its_mark(house: House) -> None:
    answer = house.visitor().post("/sign-in", {"email": CASHIER, "password": PASSWORD})
    cookies = answer.headers.get_list("set-cookie")
    mark = next(one for one in cookies if one.startswith("holdfast_device_"))

    assert "HttpOnly" in mark and "SameSite=Lax" in mark and "Max-Age=31536000" in mark
    assert len(cookies) == 2


@pytest.mark.parametrize("path", ["/account", "/account/password", "/account/pin", "/account/two-steps"])
def test_the_unknown_are_sent_to_the_sign_in(house: House, path: str) -> None:
    visitor = house.visitor()

    assert visitor.get(path).headers["location"].startswith("/sign-in")
    assert visitor.post(path, {}).status_code in (303, 405)
    assert visitor.post(path, {}, origin="https://evil.example").status_code in (303, 403, 405)


@pytest.mark.parametrize("path", ["/account", "/account/password", "/account/pin", "/account/two-steps"])
def test_every_field_has_a_name_and_its_words(house: House, path: str) -> None:
    """Labels hold their fields, what describes a field is there, and every page has one heading."""
    visitor = house.visitor(CASHIER)
    shown = visitor.get(path).text
    refused = (
        visitor.post(path, {"current_password": "nonsense!", "secret": "A" * 32}).text if path != "/account" else ""
    )

    for text in (shown, refused):
        named = {name for ids in re.findall(r'aria-(?:describedby|labelledby)="([^"]+)"', text) for name in ids.split()}
        assert named <= set(re.findall(r'\bid="([^"]+)"', text))
        main = text.partition("<main")[2].partition("</main>")[0]
        fields = re.findall(r'<input (?!type="hidden")[^>]*>', main)
        assert len(fields) == len(re.findall(r'<label class="field">', main))
        assert text.count("<h1") == (1 if text else 0)
    assert 'role="alert"' in refused or path == "/account"
