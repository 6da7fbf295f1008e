"""A till in a browser, and a shop with something to sell at it.

    counter = Counter(watched)          products with prices and codes, a register, people with PINs
    counter.open("100.00")              signed in as the cashier, the drawer opened with the cashier's PIN
    counter.scan(MUG)                   typed into the field that has the focus, with Enter

A page of it is `counter.page`. It refuses to wait for nothing: every step ends with what a cashier would see.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site, Watched
from tests.pages.household import PASSWORD

CASHIER = "cashier@arcoiris.example"
PINS = {CASHIER: "4711", "staff@arcoiris.example": "2580", "manager@arcoiris.example": "135792"}
CASHIER_PIN, STAFF_PIN, MANAGER_PIN = PINS.values()

MUG = "4006381333931"
"""The code of POT-1: 9.90, 12 at MAIN, 4 at EAST."""
BOWL = "9780201379624"
"""The code of BOWL-1: 24.50, one at MAIN."""
SLOWLY_MILLISECONDS = 80
PAUSE_MILLISECONDS = 200

UNKNOWN = "5901234123457"

STOCK = (
    {"sku": "POT-1", "title": "Teapot, cobalt", "price": "9.90", "gtin": MUG},
    {"sku": "BOWL-1", "title": "Salad bowl, olive wood", "price": "24.50", "gtin": BOWL},
    {"sku": "CANDLE-1", "title": "Beeswax candle", "price": "4.20"},
    {"sku": "TEA-1", "title": "Loose tea, Assam", "price": "30.00", "precision": 3},
    {"sku": "CARD-1", "title": "Gift card", "kind": "gift_card"},
)


class Stand:
    """The shop of a till: what it sells, its register, its people."""

    def __init__(self, site: Site) -> None:
        self.site = site
        for email, pin in PINS.items():
            user = next(one for one in self._list("/users") if one["email"] == email)
            self.ask("PATCH", f"/users/{user['id']}", {"pin": pin})
        for product in STOCK:
            self.ask("POST", "/products", product)
        for code, lines in (
            ("MAIN", [("POT-1", 12), ("BOWL-1", 1), ("CANDLE-1", 40), ("TEA-1", 2.5)]),
            ("EAST", [("POT-1", 4)]),
        ):
            received = [{"product_id": sku, "quantity": quantity, "unit_cost": "1.00"} for sku, quantity in lines]
            self.ask("POST", "/receipts", {"location": code, "lines": received})
        self.registers = [self.register("T1", "Front"), self.register("T2", "Back")]

    def _list(self, path: str) -> list[dict[str, Any]]:
        found = self.ask("GET", path)
        return list(found["items"] if isinstance(found, dict) else found)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API as the owner; the document. It must be granted."""
        answer = self.site.api.request(method, path, json=body)
        assert answer.is_success, (path, answer.text)
        return answer.json() if answer.content else None

    def register(self, code: str, name: str) -> str:
        """Make a register at MAIN; its id."""
        return str(self.ask("POST", "/registers", {"store_id": "MAIN", "code": code, "name": name})["id"])

    def available(self, sku: str, location: str = "MAIN") -> Any:
        """How much of a product can be promised at a location."""
        places = self.ask("GET", f"/store/inventory/product/{sku}")["locations"]
        return next(one["available_quantity"] for one in places if one["location"] == location)

    def sales(self, **filters: str) -> list[dict[str, Any]]:
        """The sales, newest first."""
        return self._list("/sales?" + "&".join(f"{name}={value}" for name, value in filters.items()))


class Counter:
    """A till as a cashier uses it."""

    def __init__(self, watched: Watched, register: str = "Front") -> None:
        self.page: Page = watched.page
        self.watched = watched
        self.address = watched.site.address
        self.register = register

    def sign_in(self, email: str = CASHIER) -> None:
        """Sign in at the form, on the way to the till."""
        self.page.goto(self.address + "/pos")
        self.page.get_by_label("Email address").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Open a drawer")).to_be_visible()

    def open(self, cash: str = "100.00", email: str = CASHIER) -> Page:
        """Sign in, open the drawer, and be ready to scan."""
        self.sign_in(email)
        self.page.get_by_role("radio", name=self.register).check()
        self.page.get_by_label("Cash in the drawer").fill(cash)
        self.page.get_by_label("Your PIN").fill(PINS[email])
        self.page.get_by_role("button", name="Open the drawer").click()
        expect(self.page.locator("#scan")).to_be_focused()
        return self.page

    def scan(self, code: str) -> None:
        """What a scanner does: the code and Enter, into whatever has the focus."""
        self.page.keyboard.type(code)
        self.page.keyboard.press("Enter")

    def write(self, text: str) -> None:
        """What a person types, slower than any scanner."""
        self.page.keyboard.type(text, delay=SLOWLY_MILLISECONDS)
        self.page.wait_for_timeout(PAUSE_MILLISECONDS)

    def pay_by(self, method: str) -> None:
        """Choose how it is paid."""
        self.dialog.get_by_role("radio", name=method, exact=True).check()

    @property
    def lines(self) -> Locator:
        """The lines of the cart."""
        return self.page.locator("#lines > .line")

    def line(self, title: str) -> Locator:
        """A line by its title."""
        return self.lines.filter(has_text=title)

    def quantity(self, title: str) -> Locator:
        """The quantity of a line."""
        return self.page.get_by_role("textbox", name=f"Quantity of {title}")

    @property
    def total(self) -> Locator:
        """The total."""
        return self.page.locator("#total")

    @property
    def dialog(self) -> Locator:
        """The open dialog."""
        return self.page.get_by_role("dialog")

    @property
    def said(self) -> Locator:
        """What the till says at the bottom."""
        return self.page.locator("#said")
