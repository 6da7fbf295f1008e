"""A small shop to test with: an organisation, two stores, their locations, and people who act in it.

    with open_shop(url) as shop:
        shop.product("MUG-1")
        shop.receive("MUG-1", 5, lot="A", cost="3.50")
        hold = shop.do(Reserve("MUG-1", 2, "MAIN", Target("102")))

Locations: MAIN (store MAIN), EAST (store EAST), a quarantine in each store (MAIN-QUARANTINE, EAST-QUARANTINE), TRANSIT.
Actors: `owner`, `manager`, `staff`, `cashier` of the whole organisation, `east_staff` of the store EAST alone.

`Clock` is the test seam for time. On SQLite a batch takes its time from `holdfast.db.batch.session.time.time_ns`; a
Clock stands in for that module and only moves when it is told to. Everything inside one test process sees it.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import types
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import holdfast.db.batch.session
import holdfast.db.engine
from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.organisation.places import AddLocation, AddStore
from holdfast.core.organisation.products import AddProduct
from holdfast.core.organisation.settings import AddRegister, ChangeSettings
from holdfast.core.records.currency import minor_digits_of
from holdfast.core.records.number import from_minor
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Rejected
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.engine import Database
from holdfast.organisation import establish

SECOND = 1_000_000
"""Microseconds."""

DAY = 24 * 3600 * SECOND

SECRET_KEY = "a secret key that only tests have"
"""What license keys are encrypted with here."""

FOUNDED = 1_800_000_000 * SECOND
"""Where a Clock begins: 2027-01-15T08:00:00Z."""


class Clock:
    """Stands in for the module `time` of `holdfast.db.batch.session`; microseconds since 1970."""

    def __init__(self, now: int = FOUNDED) -> None:
        self.now = now

    def time_ns(self) -> int:
        """What the session asks for."""
        return self.now * 1000

    def pass_(self, microseconds: int) -> int:
        """Let time pass; the new instant."""
        self.now += microseconds
        return self.now

    @contextmanager
    def running(self) -> Iterator[Clock]:
        """Every SQLite batch takes its time from this clock while the block runs."""
        original: types.ModuleType = holdfast.db.batch.session.time
        holdfast.db.batch.session.time = self  # type: ignore[assignment] # it has the one function that is used
        try:
            yield self
        finally:
            holdfast.db.batch.session.time = original


@contextmanager
def quick_sqlite() -> Iterator[None]:
    """SQLite does not wait for the disk while the block runs: for tests that do not pull the plug."""
    original = holdfast.db.engine._prepare_sqlite

    def prepare(connection: sqlite3.Connection) -> None:
        original(connection)
        connection.execute("PRAGMA synchronous=OFF")

    holdfast.db.engine._prepare_sqlite = prepare
    try:
        yield
    finally:
        holdfast.db.engine._prepare_sqlite = original


class Shop:
    """An open Holdfast with its people; see the module."""

    def __init__(self, opened: Holdfast, org_id: str, stores: dict[str, str], api_key: str) -> None:
        self.holdfast = opened
        self.org_id = org_id
        self.stores = stores
        self.api_key = api_key
        self.owner = Actor(org_id, "user:owner", Role.OWNER)
        self.manager = Actor(org_id, "user:manager", Role.MANAGER)
        self.staff = Actor(org_id, "user:staff", Role.STAFF)
        self.cashier = Actor(org_id, "user:cashier", Role.CASHIER)
        self.east_staff = Actor(org_id, "user:east", Role.STAFF, (stores["EAST"],))

    def do(self, command: Any, *, actor: Actor | None = None, **options: Any) -> Any:
        """Give a command (as the owner) and wait for the core's answer or refusal."""
        return self.holdfast.do(actor or self.owner, command, **options).answer

    def ok(self, command: Any, *, actor: Actor | None = None, **options: Any) -> Any:
        """Give a command that must be accepted."""
        answer = self.do(command, actor=actor, **options)
        assert not isinstance(answer, Rejected), (command, answer)
        return answer

    def refused(self, command: Any, *, actor: Actor | None = None, **options: Any) -> Rejected:
        """Give a command that must be refused."""
        answer = self.do(command, actor=actor, **options)
        assert isinstance(answer, Rejected), (command, answer)
        return answer

    def new_product(self, sku: str) -> AddProduct:
        """The command that adds a plain product."""
        return AddProduct(sku=sku, title=sku.title())

    def product(self, sku: str = "MUG-1", **fields: Any) -> Product:
        """Add a product; a price in minor units, reorder points and limits in smallest units, or as outside."""
        places = 10 ** fields.get("precision", 0)
        if isinstance(fields.get("price"), int):
            settings = self.holdfast.reports.settings(self.org_id)
            assert settings is not None
            fields["price"] = from_minor(fields["price"], minor_digits_of(settings["currency"]))
        for name in ("reorder_point", "preorder_limit"):
            if places > 1 and isinstance(fields.get(name), int):
                fields[name] = Decimal(fields[name]) / places
        added: Product = self.ok(AddProduct(**{"sku": sku, "title": sku.title(), **fields}))
        return added

    def location(self, code: str, store: str = "MAIN", **fields: Any) -> Any:
        """Add a location to a store."""
        return self.ok(AddLocation(code=code, store_id=self.stores[store], **fields))

    def store(self, code: str) -> Any:
        """Add a store; it comes with its quarantine location."""
        return self.ok(AddStore(code=code, name=code.title()))

    def register(self, code: str, store: str = "MAIN") -> Any:
        """Add a register to a store."""
        return self.ok(AddRegister(code=code, store_id=self.stores[store]))

    def at_till(self, session_id: str, store: str = "MAIN") -> Actor:
        """The owner at a till of the store, in an open register session."""
        return Actor(self.org_id, "user:owner", Role.OWNER, (self.stores[store],), session_id)

    def settings(self, **fields: Any) -> Any:
        """Change the organisation's settings."""
        fields.pop("minor_digits", None)  # they follow from the currency
        return self.ok(ChangeSettings(**fields))

    def receive(
        self,
        sku: str = "MUG-1",
        quantity: Any = 1,
        location: str = "MAIN",
        *,
        lot: str | None = None,
        cost: str | None = None,
        **fields: Any,
    ) -> str:
        """Receive one line; the lot's id."""
        line = ReceiptLine(sku, quantity, cost, lot_code=lot, **fields)
        lot_id: str = self.ok(Receive(location, (line,))).lines[0].lot_id
        return lot_id

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of a query, read past the product."""
        return rows(self.holdfast.database, query, **parameters)


def unguard(database: Database) -> None:
    """Let a test change what is append-only, as somebody may who owns the database: SQLite's triggers go."""
    if database.is_sqlite:
        with database.engine.begin() as connection:
            for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")


def rows(database: Database, query: str, **parameters: Any) -> list[dict[str, Any]]:
    """Rows of a query as dicts; on SQLite and PostgreSQL alike."""
    with database.reading() as connection:
        found = connection.exec_driver_sql(_named(query, database), parameters)
        return [{name: _plain(value) for name, value in row._mapping.items()} for row in found]


def _plain(value: Any) -> Any:
    """Ids are texts, on both databases."""
    return str(value) if isinstance(value, uuid.UUID) else value


def _named(query: str, database: Database) -> str:
    return query if database.is_sqlite else holdfast.db.batch.session._percent(query)


def founded(url: str) -> dict[str, Any]:
    """Set up an empty database: an organisation with two stores."""
    with Holdfast.open(url) as opened:
        made = establish(opened.database, "Arco Iris", "ana@arcoiris.example", password="correct horse")
        east = opened.do(made.actor, AddStore(code="EAST", name="East")).answer
        opened.do(made.actor, AddLocation(code="EAST", store_id=east.id))
        return {"org_id": made.org_id, "stores": {"MAIN": made.store_id, "EAST": east.id}, "api_key": made.api_key}


@cache
def _template() -> tuple[Path, dict[str, Any]]:
    """A founded SQLite database, made once per process; tests get copies."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-template-")) / "template.db"
    with quick_sqlite():
        facts = founded(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path, facts


@contextmanager
def open_shop(url: str, **limits: Any) -> Iterator[Shop]:
    """Found a shop in the empty database behind the URL and open it; `limits` as for Holdfast."""
    if url.startswith("sqlite"):
        path, facts = _template()
        shutil.copy(path, url.removeprefix("sqlite:///"))
    else:
        facts = founded(url)
    with shop_in(url, facts, **limits) as shop:
        yield shop


@contextmanager
def shop_in(url: str, facts: dict[str, Any], **limits: Any) -> Iterator[Shop]:
    """Open the shop in a database that was founded; `facts` as `founded` told them."""
    opened = Holdfast(Database(url), **{"secret_key": SECRET_KEY, **limits})
    try:
        yield Shop(opened, **facts)
    finally:
        opened.close()
