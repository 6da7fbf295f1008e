"""The frame in a browser: the look that changes at once, menus, keys, the bar of a phone, the sign-in."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def test_the_look_changes_at_once_and_is_kept(page: Page) -> None:
    colour = "getComputedStyle(document.body.parentElement).backgroundColor"
    light = page.evaluate(colour)
    height = page.locator("#rows tr").first.bounding_box()
    page.locator(".person summary").click()
    with page.expect_response("**/account/look"):
        page.locator(".person").get_by_text("Dark", exact=True).click()
    dark = page.evaluate(colour)
    assert dark != light
    with page.expect_response("**/account/look"):
        page.locator(".person").get_by_text("Compact", exact=True).click()
    closer = page.locator("#rows tr").first.bounding_box()
    assert height is not None and closer is not None and closer["height"] < height["height"]

    page.reload()
    assert page.evaluate(colour) == dark
    expect(page.locator("html")).to_have_attribute("data-density", "compact")


def test_a_menu_closes_by_esc_and_gives_the_focus_back(page: Page) -> None:
    page.locator(".person summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Your account").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Your account").first).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("link", name="Your account").first).to_be_hidden()
    expect(page.locator(".person summary")).to_be_focused()
    page.locator(".person summary").click()
    page.locator("h1").click()
    expect(page.locator(".person .menu")).to_be_hidden()


def test_the_keys_are_told_by_one_of_them(page: Page) -> None:
    page.locator(".keys-button").focus()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys of this page")
    expect(keys.get_by_role("definition").first).to_have_text("Search")
    page.keyboard.press("F1")
    expect(page.get_by_label("Search")).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(page.locator(".keys-button")).to_be_focused()
    page.keyboard.press("F1")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("?/")
    expect(page.get_by_label("Search")).to_have_value("?/")
    expect(keys).to_be_hidden()


def test_stock_is_found_from_another_page(page: Page, watched: Watched) -> None:
    page.goto(watched.site.address + "/account")
    page.keyboard.press("/")
    page.keyboard.type("lantern")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/admin/inventory\?search=lantern$"))
    expect(page.locator("#rows tr")).to_have_count(1)


@pytest.mark.parametrize("watched", [PHONE], indirect=True)
def test_a_phone_has_a_bar_below_and_fingers_hit_it(page: Page) -> None:
    bar = page.locator(".phone-bar")
    expect(bar.get_by_role("link", name="Inventory")).to_have_attribute("aria-current", "page")
    page.locator(".more-menu summary").tap()
    expect(bar.get_by_role("button", name="Sign out")).to_be_visible()
    small = """(part) => [...document.querySelectorAll(part)].filter((one) => one.checkVisibility()).filter((one) => {
      const { width, height } = one.getBoundingClientRect();
      return width < 44 || height < 44;
    }).map((one) => one.outerHTML.slice(0, 100))"""
    assert page.evaluate(small, ".phone-bar a, .phone-bar summary, .phone-bar button, .phone-bar .choices label") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_password_is_shown_to_who_wants_it_and_sent_as_one(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.site.address + "/sign-in")
    field = page.get_by_label("Password")
    field.fill("hitch and hold")
    page.get_by_label("Show what I type").check()
    expect(field).to_have_attribute("type", "text")
    page.get_by_label("Show what I type").uncheck()
    expect(field).to_have_attribute("type", "password")
    page.get_by_label("Show what I type").check()
    page.get_by_label("Email address").fill("manager@arcoiris.example")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Inventory")
