"""Two tills at once, a server that goes away, answers that are lost, and drawers that somebody else closes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import Site, Watched
from tests.browser.counter import BOWL, CASHIER_PIN, MANAGER_PIN, MUG, STAFF_PIN, Counter, Stand
from tests.pages.household import furnish
from tests.shop import open_shop, quick_sqlite

START_SECONDS = 30
AWAY_WORDS = ("net::ERR_CONNECTION_REFUSED", "net::ERR_FAILED", "net::ERR_EMPTY_RESPONSE", "net::ERR_CONNECTION_RESET",
              "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_SOCKET_NOT_CONNECTED")  # fmt: skip
"""What Chromium writes to the console of a request that no server answered."""


@pytest.fixture
def stand(site: Site) -> Stand:
    """A shop with a till."""
    return Stand(site)


@pytest.fixture
def counter(stand: Stand, watched: Watched) -> Counter:
    """A till that is not open yet."""
    return Counter(watched)


@pytest.fixture
def other(stand: Stand, chromium: Browser, site: Site) -> Iterator[Counter]:
    """Another till of the store, in another browser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    watched = Watched(context, site)
    yield Counter(watched, "Back")
    context.close()
    assert watched.complaints == []


def forgive_absence(watched: Watched) -> None:
    """Forget what the browser wrote about a server that was away; anything else is still a complaint."""
    watched.complaints[:] = [one for one in watched.complaints if not one.endswith(AWAY_WORDS)]


def test_two_tills_want_the_last_one(stand: Stand, counter: Counter, other: Counter) -> None:
    page, back = counter.open(), other.open("50.00", "staff@arcoiris.example")
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    other.scan(BOWL)
    expect(other.dialog.get_by_role("heading")).to_have_text("Salad bowl, olive wood")
    expect(other.dialog).to_contain_text("None left here.")
    other.dialog.get_by_role("button", name="Leave it").click()
    other.scan("12*" + MUG)
    expect(other.quantity("Teapot, cobalt")).to_have_value("12")
    counter.scan("2*" + MUG)
    expect(counter.dialog).to_contain_text("None left here.")
    expect(counter.dialog.get_by_role("list", name="Elsewhere")).to_contain_text("East")
    page.keyboard.press("Escape")

    back.get_by_role("button", name="One less Teapot, cobalt").click()
    expect(other.quantity("Teapot, cobalt")).to_have_value("11")
    counter.scan("2*" + MUG)
    expect(counter.dialog).to_contain_text("Only 1 left here.")
    counter.dialog.get_by_role("button", name="Take 1").click()
    expect(counter.quantity("Teapot, cobalt")).to_have_value("1")
    assert stand.available("POT-1") == 0


def test_a_manager_promises_the_one_that_is_gone(stand: Stand, counter: Counter, other: Counter) -> None:
    counter.open()
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    page = other.open("50.00", "staff@arcoiris.example")
    other.scan(BOWL)
    expect(other.dialog).to_contain_text("None left here.")
    other.dialog.get_by_label("PIN of a manager").fill(STAFF_PIN)
    page.keyboard.press("Enter")
    expect(other.dialog.get_by_role("alert")).to_contain_text("Not enough stock")
    other.dialog.get_by_label("PIN of a manager").fill(MANAGER_PIN)
    page.keyboard.press("Enter")
    expect(other.line("Salad bowl")).to_contain_text("1 of 1 waits for stock")
    page.keyboard.press("F9")
    page.keyboard.press("F9")
    expect(other.dialog.get_by_role("alert")).to_contain_text("A part of the sale waits for stock")
    assert stand.sales(status="completed") == []


def test_a_suspended_sale_is_resumed_once(stand: Stand, counter: Counter, other: Counter) -> None:
    page = counter.open()
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F4")
    expect(counter.said).to_contain_text("is in the queue")

    back = other.open("50.00", "staff@arcoiris.example")
    expect(back.get_by_role("button", name="Queue 1")).to_be_visible()
    page.keyboard.press("F6")
    expect(counter.dialog.get_by_role("listitem")).to_have_count(1)
    page.route("**/api/v1/sales?status=suspended*", lambda route: route.abort())  # this till hears of it too late
    back.keyboard.press("F6")
    back.keyboard.press("Enter")
    expect(other.line("Salad bowl")).to_be_visible()
    page.keyboard.press("Enter")
    expect(counter.said).to_contain_text("Staff resumed it on Back.")
    page.unroute("**/api/v1/sales?status=suspended*")
    assert [one["status"] for one in stand.sales()] == ["open"]
    page.wait_for_timeout(500)  # until the last request that was cut off has been complained of
    forgive_absence(counter.watched)


def test_a_payment_whose_answer_was_lost_is_taken_once(stand: Stand, counter: Counter) -> None:
    page = counter.open("100.00")
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    lost: list[str] = []

    def lose(route: Route) -> None:
        lost.append(route.request.headers["idempotency-key"])
        if len(lost) > 3:
            route.continue_()
            return
        if len(lost) == 1:
            route.fetch()  # the server did it
        route.abort()

    page.route("**/complete", lose)
    page.keyboard.press("F9")
    counter.dialog.get_by_role("button", name="20.00").click()
    expect(counter.dialog.get_by_text("Not known yet. Do not take the money again")).to_be_visible()
    expect(counter.dialog.get_by_role("button", name="Sending ...")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(counter.dialog).to_be_visible()
    expect(page.locator(".receipt-change")).to_contain_text("10.10")
    forgive_absence(counter.watched)
    assert len(set(lost)) == 1
    assert [one["total"] for one in stand.sales(status="completed")] == ["9.90"]


def test_after_idle_minutes_the_pin_is_asked_and_what_was_scanned_is_added(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    locked = {
        "code": "UNAUTHORIZED",
        "status": 401,
        "detail": "Ten minutes are over: give your PIN.",
        "pin_needed": True,
    }
    page.route("**/api/v1/sales/*/lines", lambda route: route.fulfill(status=401, json=locked))
    counter.scan(BOWL)
    expect(counter.dialog).to_contain_text("Ten minutes are over: give your PIN.")
    page.keyboard.press("Escape")
    expect(counter.dialog).to_be_visible()
    expect(counter.lines).to_have_count(1)

    page.unroute("**/api/v1/sales/*/lines")
    counter.dialog.get_by_label("PIN").fill(CASHIER_PIN)
    page.keyboard.press("Enter")
    expect(counter.dialog).to_be_hidden()
    expect(counter.line("Salad bowl")).to_be_visible()
    assert stand.available("BOWL-1") == 0


def test_a_drawer_that_was_closed_elsewhere_says_so(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    stand.ask("POST", f"/registers/{stand.registers[0]}/sessions/1/close", {"counted_cash": "100.00"})
    counter.scan(MUG)
    expect(page.locator("#choose")).to_contain_text("The drawer of Front is not open in this browser any more")
    expect(page.locator("#choose")).to_contain_text("Open carts are in the queue.")
    page.get_by_role("radio", name="Front").check()
    page.get_by_label("Cash in the drawer").fill("100.00")
    page.get_by_label("Your PIN").fill(CASHIER_PIN)
    page.get_by_role("button", name="Open the drawer").click()
    expect(page.locator("#scan")).to_be_focused()
    page.keyboard.press("F6")
    expect(counter.dialog).to_contain_text("S-000001")
    page.keyboard.press("Enter")
    expect(counter.line("Salad bowl")).to_be_visible()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(2)


def test_a_manager_closes_a_drawer_whose_browser_is_lost(stand: Stand, counter: Counter, other: Counter) -> None:
    counter.open()
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    counter.page.context.close()

    other.sign_in()
    page = other.page
    expect(page.get_by_role("radio", name="Front")).to_be_disabled()
    page.context.clear_cookies()
    other.sign_in("manager@arcoiris.example")
    page.get_by_role("radio", name="Front").check()
    page.get_by_label("Cash in the drawer").fill("99.00")
    page.get_by_role("button", name="Close the drawer").click()
    expect(page.locator("#choose")).to_contain_text("The drawer of Front is closed.")
    expect(page.locator("#choose").get_by_role("radio", checked=True)).to_have_count(1)
    session = stand.ask("GET", f"/registers/{stand.registers[0]}/sessions/1")
    assert (session["over_short"], session["closed_by"]) == ("-1.00", "user:manager@arcoiris.example")
    assert [one["number"] for one in stand.sales(status="suspended")] == ["S-000001"]


class Server:
    """A server in a process of its own, which can be killed and started again at the same address."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self.start()

    def start(self) -> None:
        """Serve, and wait until it answers."""
        command = [sys.executable, "-m", "holdfast", "serve", "--port", str(self.port)]
        environment = {"HOLDFAST_DATABASE_URL": self.url, "PATH": ""}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.address}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        """Without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def lone(tmp_path: Path, chromium: Browser) -> Iterator[tuple[Server, Counter, Stand]]:
    """A till at a server in a process of its own."""
    path = tmp_path / "holdfast.db"
    with quick_sqlite(), open_shop(f"sqlite:///{path}") as shop:
        furnish(shop)
        site = Site(shop, None, "http://localhost:0")
    server = Server(path)
    site.address = server.address
    site.api = httpx.Client(base_url=f"{server.address}/api/v1", headers=site.api.headers, timeout=20)
    stand = Stand(site)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    watched = Watched(context, site)
    yield server, Counter(watched), stand
    context.close()
    site.api.close()
    server.kill()
    forgive_absence(watched)
    assert watched.complaints == []


def test_a_server_that_is_killed_loses_and_doubles_nothing(lone: tuple[Server, Counter, Stand]) -> None:
    server, counter, stand = lone
    page = counter.open("100.00")
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    server.kill()
    counter.scan(MUG)
    counter.scan(BOWL)
    expect(page.locator("#away")).to_contain_text("The server cannot be reached since")
    expect(page.locator("#away")).to_contain_text("2 actions wait and are sent again.")
    expect(page.locator(".pos-live")).to_have_text("Away, 2 not sent")
    expect(counter.lines).to_have_count(1)

    server.start()
    expect(counter.quantity("Teapot, cobalt")).to_have_value("2", timeout=20_000)
    expect(counter.line("Salad bowl")).to_be_visible()
    expect(page.locator("#away")).to_be_hidden()
    expect(page.locator(".pos-live")).to_have_text("Live", timeout=20_000)
    page.keyboard.press("F9")
    server.kill()
    page.keyboard.press("F9")
    expect(counter.dialog.get_by_text("Do not take the money again")).to_be_visible()
    server.start()
    expect(page.locator("#receipt")).to_be_visible(timeout=20_000)
    assert [(one["total"], one["paid"]) for one in stand.sales(status="completed")] == [("44.30", "44.30")]
    assert stand.available("POT-1") == 10
