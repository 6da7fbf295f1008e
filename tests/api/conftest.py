"""The application over a real Holdfast with one founded organisation."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.access import Role
from holdfast.app import Holdfast
from holdfast.organisation import Established, establish, new_key
from holdfast.web.http.application import Application
from holdfast.web.server import create_application
from tests.api.client import Client
from tests.shop import SECRET_KEY, quick_sqlite


class Shop:
    """A founded organisation and what a test needs to ask it."""

    def __init__(self, holdfast: Holdfast, application: Application, runner: asyncio.Runner, made: Established) -> None:
        self.holdfast = holdfast
        self.application = application
        self.made = made
        self.owner = Client(application, runner, self.made.api_key)
        self.anonymous = self.owner.using(None)

    def key(self, role: str, stores: tuple[str, ...] = (), *, name: str = "", made: Established | None = None) -> str:
        """A fresh API key of the role."""
        whose = made or self.made
        new = new_key(whose.org_id, Role(role), stores, name=name)
        reply = self.holdfast.do(whose.actor, new.command)
        assert reply.answer.role == role
        return new.api_key

    def caller(self, role: str, stores: tuple[str, ...] = ()) -> Client:
        """Somebody of the role."""
        return self.owner.using(self.key(role, stores))

    def product(self, sku: str, quantity: float = 0, **fields: object) -> str:
        """A product, received at MAIN if there is a quantity; its id."""
        made = self.owner.post("/api/v1/products", {"sku": sku, "title": sku, **fields})
        assert made.status == 201, made
        if quantity:
            line = {"product_id": sku, "quantity": quantity, "unit_cost": "3.50"}
            received = self.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [line]})
            assert received.status == 201, received
        product_id: str = made.json()["id"]
        return product_id


def _found(url: str) -> Established:
    """Set up a database with one organisation."""
    with Holdfast.open(url) as holdfast:
        return establish(holdfast.database, "Arco Iris", "ana@arcoiris.example", password="correct horse")


def _opened(url: str, made: Established) -> Iterator[Shop]:
    with Holdfast.open(url, secret_key=SECRET_KEY) as holdfast, asyncio.Runner() as runner:
        application = create_application(holdfast)
        yield Shop(holdfast, application, runner, made)
        application.close()


def opened_at(url: str) -> Iterator[Shop]:
    """A fresh organisation in an empty database."""
    yield from _opened(url, _found(url))


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Established]:
    """A database file with one organisation, to be copied: founding takes a while (migrations, Argon2)."""
    path = tmp_path_factory.mktemp("founded") / "holdfast.db"
    return path, _found(f"sqlite:///{path}")


@pytest.fixture
def shop(founded: tuple[Path, Established], tmp_path: Path) -> Iterator[Shop]:
    """An organisation on SQLite."""
    path = tmp_path / "holdfast.db"
    with closing(sqlite3.connect(founded[0])) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    with quick_sqlite():
        yield from _opened(f"sqlite:///{path}", founded[1])


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Shop]:
    """An organisation on SQLite, and once more on PostgreSQL."""
    yield from opened_at(database_url)
