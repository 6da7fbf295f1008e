"""A real browser at a real server: Chromium, where one is installed, and a furnished shop on a free port.

HOLDFAST_TEST_CHROMIUM names another browser of the Chromium family. Where none is found the tests are skipped, unless
HOLDFAST_TEST_BROWSER is `required`: then they fail.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from holdfast.web.server import create_application
from tests.pages.household import PASSWORD, furnish
from tests.shop import Shop, open_shop, quick_sqlite

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WAIT_MILLISECONDS = 15_000
START_SECONDS = 20
MANAGER = "manager@arcoiris.example"

REFUSED_BY_DESIGN = "Failed to load resource: the server responded with a status of 4"
"""What Chromium writes to the console of every answer that is a refusal; refusals are part of what is tested."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser that is installed; gone before other tests begin, for whom its event loop would be in the way."""
    named = os.environ.get("HOLDFAST_TEST_CHROMIUM")
    path = named or next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        words = f"no browser is installed (looked for {', '.join(NAMES)}; HOLDFAST_TEST_CHROMIUM names one)"
        if os.environ.get("HOLDFAST_TEST_BROWSER") == "required":
            pytest.fail(words)
        pytest.skip(words)
    expect.set_options(timeout=WAIT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Site:
    """A shop that is served, and its API."""

    def __init__(self, shop: Shop, application: Any, address: str, server: uvicorn.Server | None = None) -> None:
        self.shop = shop
        self.application = application
        self._server = server
        self.address = address
        self.api = httpx.Client(
            base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {shop.api_key}"}, timeout=WAIT_MILLISECONDS
        )

    def reserve(self, sku: str, quantity: int, location: str = "MAIN") -> None:
        """Promise units to somebody, over the API."""
        body = {"product_id": sku, "quantity": quantity, "location": location, "order_number": "777"}
        assert self.api.post("/inventory-reservations", json=body).status_code == 201

    def adjust(self, sku: str, quantity: int, store: str = "MAIN") -> None:
        """Add or remove units, over the API."""
        body = {"product_id": sku, "quantity": quantity, "location": store, "store_id": store}
        assert self.api.post("/admin/inventory/adjust", json=body).status_code == 200

    def stop_streams(self) -> None:
        """End every event stream, as a server does that stops; the next ones are answered again."""
        assert self._server is not None, "it is served by another process"
        loop, stopping = self._server.servers[0].get_loop(), self.application.stopping
        loop.call_soon_threadsafe(stopping.set)
        until = time.monotonic() + START_SECONDS
        while self.application.callers.streams:
            assert time.monotonic() < until, "a stream does not end"
            time.sleep(0.02)
        loop.call_soon_threadsafe(stopping.clear)

    def demo(self, traffic: object) -> None:
        """Make it a demo."""
        self.application.state = SimpleNamespace(demo_traffic=traffic)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A furnished shop on SQLite, served on a free port."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'holdfast.db'}") as shop:
        furnish(shop)
        application = create_application(shop.holdfast)
        config = uvicorn.Config(application, port=0, log_level="error", timeout_graceful_shutdown=1)  # type: ignore[arg-type] # an ASGI application
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        until = time.monotonic() + START_SECONDS
        while not server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        site = Site(shop, application, f"http://localhost:{port}", server)
        yield site
        site.api.close()
        server.should_exit = True
        thread.join(START_SECONDS)


class Watched:
    """A page whose complaints (errors, violated policy) are kept; there must be none at the end."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.site = site
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT_MILLISECONDS)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self._hear(message.type, message.text))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(REFUSED_BY_DESIGN):
            self.complaints.append(text)

    def sign_in(self, email: str = MANAGER, path: str = "/admin/inventory") -> Page:
        """Sign in at the form and wait for the page to be alive."""
        self.page.goto(self.site.address + path)
        self.page.get_by_label("Email address").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_selector('#live[data-state="on"]')
        return self.page


@pytest.fixture
def watched(chromium: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A page that is watched; `@pytest.mark.parametrize("watched", [{...}], indirect=True)` sets context options."""
    options = {"viewport": {"width": 1280, "height": 900}, **getattr(request, "param", {})}
    context = chromium.new_context(**options)
    watched = Watched(context, site)
    yield watched
    context.close()
    assert watched.complaints == []


@pytest.fixture
def page(watched: Watched) -> Page:
    """The inventory page, signed in as a manager."""
    return watched.sign_in()
