"""The account and the steps of signing in, in a browser: on a telephone, by keyboard, without a word cut off."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.parametrize("watched", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
@pytest.mark.parametrize("path", ["/account", "/account/password", "/account/pin", "/account/two-steps"])
def test_a_telephone_shows_all_of_it(watched: Watched, path: str) -> None:
    page = watched.sign_in()
    page.goto(page.url.partition("/admin")[0] + path)

    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert not page.evaluate(WIDER)
