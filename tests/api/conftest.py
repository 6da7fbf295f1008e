"""The application over a real Holdfast with one founded organisation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from holdfast.access import Role
from holdfast.app import Holdfast
from holdfast.organisation import Established, establish, new_key
from holdfast.web.application import Application, create_application
from tests.api.client import Client


class Shop:
    """A founded organisation and what a test needs to ask it."""

    def __init__(self, holdfast: Holdfast, application: Application, runner: asyncio.Runner) -> None:
        self.holdfast = holdfast
        self.application = application
        self.made = establish(holdfast.database, "Arco Iris", "ana@arcoiris.example", password="correct horse")
        self.owner = Client(application, runner, self.made.api_key)
        self.anonymous = self.owner.using(None)

    def key(self, role: str, stores: tuple[str, ...] = (), *, name: str = "", made: Established | None = None) -> str:
        """A fresh API key of the role."""
        new = new_key(Role(role), stores, name=name)
        reply = self.holdfast.do((made or self.made).actor, new.command)
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


def _opened(url: str) -> Iterator[Shop]:
    with Holdfast.open(url) as holdfast, asyncio.Runner() as runner:
        application = create_application(holdfast)
        yield Shop(holdfast, application, runner)
        application.close()


@pytest.fixture
def shop(sqlite_url: str) -> Iterator[Shop]:
    """An organisation on SQLite."""
    yield from _opened(sqlite_url)


@pytest.fixture
def any_shop(database_url: str) -> Iterator[Shop]:
    """An organisation on SQLite, and once more on PostgreSQL."""
    yield from _opened(database_url)
