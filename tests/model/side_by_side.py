"""The real Holdfast and the naive one, side by side: they get the same commands and must stand the same.

`both` gives one command to both, compares the answer (accepted, or refused with which code and what `available`), then
every level, lot and hold in the database. `TALLY` counts what was accepted and refused, by kind. A machine draws the
commands: `machine` about counts and promises, `sales_machine` about the money of sales.

Time only passes when a machine lets it (`tests.shop.Clock`). What time has made due and nobody asked about is settled
by a Sweep before the states are compared, in both.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from holdfast.access import Actor
from holdfast.core.decide import Sweep
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.records.rejection import Rejected
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.model.naive import Caller, Naive, No, Place, Product
from tests.shop import FOUNDED, Clock, open_shop, quick_sqlite
from tests.truth import untruths

TALLY: Counter[tuple[str, str]] = Counter()
"""(kind of command, "accepted" or "refused") -> how often."""

MEANING = {"INVALID_QUANTITY", "INVALID_AMOUNT", "INVALID_EXPIRY", "PRODUCT_NOT_STOCK_TRACKED"}
"""Codes of one rank (400 meaning): which of two is told does not matter."""

UNKNOWN = "01890000-0000-7000-8000-000000000000"
PLACES = (
    Place("MAIN", "MAIN"),
    Place("MAIN-QUARANTINE", "MAIN", "quarantine", online=False),
    Place("TRANSIT", "MAIN", "transit", online=False),
    Place("EAST", "EAST"),
    Place("EAST-QUARANTINE", "EAST", "quarantine", online=False),
)
"""In the order in which they were made: so their levels are settled."""
SHELVES = ("MAIN", "EAST")

Both = tuple[Any, Callable[[Naive], Any]]
"""A command for the real one, and the same for the naive one."""


def often(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any], *, one_in: int = 12) -> st.SearchStrategy[Any]:
    """Mostly `usual`."""
    return st.integers(0, one_in - 1).flatmap(lambda n: rare if n == one_in - 1 else usual)


def same(real: dict[Any, Any], naive: dict[Any, Any], what: str) -> None:
    """Both stand the same; else tell the difference."""
    differences = {
        key: f"real {real.get(key)}, naive {naive.get(key)}"
        for key in sorted(real.keys() | naive.keys())
        if real.get(key) != naive.get(key)
    }
    assert not differences, (what, differences)


class SideBySide(RuleBasedStateMachine):
    """See the module. A machine names its `products`."""

    products: tuple[Product, ...]

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(FOUNDED)
        self.stack = ExitStack()
        self.lot_ids: list[str] = []
        self.hold_ids: list[str] = []
        self._last_entry = ""
        self.unsettled = False

    def open_both(self, naive: Naive, **settings: Any) -> None:
        """An empty shop with the products and places, and its naive twin."""
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-model-"))
        self.stack.enter_context(quick_sqlite())
        self.stack.enter_context(self.clock.running())
        path = Path(folder) / "model.db"
        self.shop = self.stack.enter_context(open_shop(f"sqlite:///{path}"))
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.row_factory = sqlite3.Row
        self.stack.callback(self.database.close)
        self.naive = naive
        self.shop.ok(ChangeSettings(**settings))
        self.product_ids = {product.sku: self.add_product(product) for product in self.products}
        self.sku_of = {name: sku for sku, name in self.product_ids.items()}
        places = self.rows("SELECT id, code FROM location")
        self.place_ids = {row["code"]: row["id"] for row in places}
        self.code_of = {row["id"]: row["code"] for row in places}
        self.stocked = [product.sku for product in self.products if not product.unlimited]
        self.actors: dict[str, tuple[Actor, Caller]] = {
            "manager": (self.shop.manager, Caller()),
            "staff": (self.shop.staff, Caller(manager=False)),
            "east": (self.shop.east_staff, Caller(("EAST",), manager=False)),
        }

    def add_product(self, product: Product, **more: Any) -> str:
        """Add a product to the real one; its id."""
        name: str = self.shop.product(
            product.sku,
            precision=product.precision,
            oversell=product.oversell,
            preorder_limit=product.limit,
            track_expiry=product.fefo,
            kind="digital" if product.unlimited else "physical",
            **more,
        ).id
        return name

    def bring(self, place: str, lines: list[tuple[str, int, int, str | None, int | None]]) -> None:
        """Receive at both."""
        named = tuple(
            ReceiptLine(sku, self.number(sku, units), str(Decimal(cost) / 10**6), None, code, expires)
            for sku, units, cost, code, expires in lines
        )
        self.both("manager", Receive(place, named), lambda naive: naive.receive(Caller(), place, lines))

    def teardown(self) -> None:
        try:
            if hasattr(self, "shop"):
                assert untruths(self.shop) == []
        finally:
            self.stack.close()

    def rows(self, query: str, **parameters: Any) -> list[sqlite3.Row]:
        """Rows read past the product (a connection of our own: every step looks several times)."""
        return self.database.execute(query, parameters).fetchall()

    # Names -----------------------------------------------------------------------------------------------------------

    def number(self, sku: str, units: int | None) -> Any:
        """Units as they are said outside."""
        product = self.naive.products.get(sku)
        places = 0 if product is None else product.precision
        if units is None:
            return Decimal(1).scaleb(-places - 1)
        return units if places == 0 else Decimal(units).scaleb(-places)

    def lot_name(self, n: int | None) -> str | None:
        return None if n is None else (self.lot_ids[n] if 0 <= n < len(self.lot_ids) else UNKNOWN)

    @staticmethod
    def named(names: list[str], n: int) -> str:
        return names[n] if 0 <= n < len(names) else UNKNOWN

    # Doing both ------------------------------------------------------------------------------------------------------

    def both(self, actor: str, command: Any, naive: Callable[[Naive], Any]) -> tuple[Any, Any]:
        """Give the command to both; what they answered. They must agree on yes or no, and on which no."""
        note(f"{actor}: {command}")
        self.tick()
        try:
            expected: Any = self.naive.attempt(naive)
        except No as no:
            expected = no
        self.served, self.shorted = list(self.naive.served), set(self.naive.shorted)
        answer = self.shop.do(command, actor=self.actors[actor][0])
        self.agree(command, answer, expected)
        self.compare()
        return answer, expected

    def tick(self) -> None:
        """No two commands at the same instant; what time has made due comes first."""
        self.naive.now = self.clock.pass_(1000)
        due = self.naive.due()
        if due and any(hold.open and hold.reach for hold in self.naive.holds):
            self.sweep_all()  # what is due at one place serves who waits at another: so it is done in the same order
        self.unsettled = self.unsettled or due
        self.naive.settle()

    def sweep_all(self) -> None:
        pairs = tuple((self.product_ids[sku], self.place_ids[code]) for sku in self.stocked for code in self.place_ids)
        self.shop.ok(Sweep(pairs))

    def agree(self, command: Any, answer: Any, expected: Any) -> None:
        kind = type(command).__name__
        if isinstance(expected, No):
            assert isinstance(answer, Rejected), (command, "accepted, expected", expected.code, answer)
            same_rank = {answer.code, expected.code} <= MEANING
            assert same_rank or answer.code == expected.code, (command, answer, expected.code)
            if "available" in expected.numbers and "available" in answer.numbers:
                units = Decimal(str(answer.numbers["available"]))
                sku = self.sku_of.get(answer.numbers["product_id"], "")
                assert units == self.number(sku, expected.numbers["available"]), (command, answer, expected)
            TALLY[kind, "refused"] += 1
            TALLY[f"refused {expected.code}", "accepted"] += 1
        else:
            assert not isinstance(answer, Rejected), (command, answer)
            TALLY[kind, "accepted"] += 1

    def compare(self) -> None:
        """Levels, lots and holds stand as the naive ones do."""
        if self.unsettled or self.naive.due():
            self.unsettled = False
            self.naive.settle()
            self.sweep_all()
        self.learn_new()
        same(self.real_lots(), self.naive_lots(), "lot, place -> on hand, reserved, value, status")
        same(
            dict(enumerate(self.real_holds())),
            dict(enumerate(self.naive_holds())),
            "hold -> quantity, consumed, released, backordered, allocations by lot, priority, expiry",
        )
        same(self.real_levels(), self.naive_levels(), "sku, place -> on hand, reserved, backordered")

    def learn_new(self) -> None:
        """The real ids of new lots and holds: both are made in the same order.

        The id of a hold that was split off another one lies beside that one's: its first ledger entry tells the order.
        """
        lots = self.rows(
            "SELECT id FROM lot WHERE id > :last ORDER BY id", last=self.lot_ids[-1] if self.lot_ids else ""
        )
        self.lot_ids += [row["id"] for row in lots]
        first = (
            "SELECT reservation_id AS id, min(id) AS at FROM ledger WHERE reservation_id IS NOT NULL AND id > :last "
        )
        found = self.rows(f"{first} GROUP BY reservation_id ORDER BY at", last=self._last_entry)
        known = set(self.hold_ids)
        self.hold_ids += [row["id"] for row in found if row["id"] not in known]
        self._last_entry = max((row["at"] for row in found), default=self._last_entry)
        assert len(self.lot_ids) == len(self.naive.lots)
        assert len(self.hold_ids) == len(self.naive.holds)
        self.lot_number = {name: n for n, name in enumerate(self.lot_ids)}
        self.hold_number = {name: n for n, name in enumerate(self.hold_ids)}

    def real_lots(self) -> dict[Any, Any]:
        query = "SELECT s.*, t.status FROM lot_stock s JOIN lot t ON t.id = s.lot_id WHERE s.on_hand > 0 OR s.value > 0"
        return {
            (self.lot_number[row["lot_id"]], self.code_of[row["location_id"]]): (
                row["on_hand"],
                row["reserved"],
                row["value"],
                row["status"],
            )
            for row in self.rows(query)
        }

    def naive_lots(self) -> dict[Any, Any]:
        return {
            (lot, place): (
                pile.units,
                self.naive.reserved_of(lot, place),
                pile.value,
                self.naive.lots[lot].status,
            )
            for (lot, place), pile in self.naive.piles.items()
            if pile.units or pile.value
        }

    def real_holds(self) -> list[Any]:
        return [
            (
                self.sku_of[row["product_id"]],
                self.code_of[row["location_id"]],
                row["status"],
                row["release_reason"],
                row["quantity"],
                row["consumed"],
                row["released"],
                row["backordered"],
                {self.lot_number[lot]: units for lot, units in json.loads(row["allocations"])},
                row["priority"],
                row["expires_at"],
            )
            for row in sorted(self.rows("SELECT * FROM reservation"), key=lambda row: self.hold_number[row["id"]])
        ]

    def naive_holds(self) -> list[Any]:
        return [
            (
                hold.sku,
                hold.place,
                hold.status,
                hold.reason,
                hold.quantity,
                hold.consumed,
                hold.released,
                hold.waits,
                hold.alloc,
                hold.priority,
                hold.expires,
            )
            for hold in self.naive.holds
        ]

    def real_levels(self) -> dict[Any, Any]:
        return {
            (self.sku_of[row["product_id"]], self.code_of[row["location_id"]]): (
                row["on_hand"],
                row["reserved"],
                row["backordered"],
            )
            for row in self.rows("SELECT * FROM level WHERE on_hand > 0 OR reserved > 0 OR backordered > 0")
        }

    def naive_levels(self) -> dict[Any, Any]:
        found = {}
        for sku in self.stocked:
            for place in self.naive.places:
                figures = (
                    self.naive.on_hand(sku, place),
                    self.naive.reserved(sku, place),
                    self.naive.waiting(sku, place),
                )
                if any(figures):
                    found[sku, place] = figures
        return found
