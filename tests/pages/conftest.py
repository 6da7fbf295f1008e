"""A furnished shop, and visitors who speak HTTP to its application without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from holdfast.web.http.application import Application
from holdfast.web.server import create_application
from tests.pages.household import PASSWORD, furnish
from tests.shop import Shop, open_shop, quick_sqlite

ORIGIN = "http://shop.example"


class Visitor:
    """Somebody with a cookie jar, who follows no redirects by themselves."""

    def __init__(self, application: Application, runner: asyncio.Runner, origin: str = ORIGIN) -> None:
        self._runner = runner
        self.origin = origin
        transport = httpx.ASGITransport(app=application)  # type: ignore[arg-type] # an ASGI application
        self._client = httpx.AsyncClient(transport=transport, base_url=origin, headers={"Accept": "text/html"})

    @property
    def session(self) -> str:
        """The token of the session's cookie."""
        return str(self._client.cookies["holdfast_session"])

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET an address."""
        return self._runner.run(self._client.get(path, **more))

    def post(self, path: str, fields: dict[str, str], *, origin: str | None = None, **more: Any) -> httpx.Response:
        """Send a form, from a page of `origin`, which is by default where the visitor is."""
        headers = {"Origin": origin or self.origin, **more.pop("headers", {})}
        return self._runner.run(self._client.post(path, data=fields, headers=headers, **more))

    def sign_in(self, email: str, password: str = PASSWORD) -> Visitor:
        """Sign in, which must work."""
        answer = self.post("/sign-in", {"email": email, "password": password})
        assert answer.status_code == 303, answer.text
        return self


class House:
    """A shop, its application, and new visitors at its door."""

    def __init__(self, shop: Shop, application: Application, runner: asyncio.Runner) -> None:
        self.shop = shop
        self.application = application
        self._runner = runner

    def visitor(self, email: str | None = None, *, origin: str = ORIGIN) -> Visitor:
        """Somebody new, who comes by that scheme and name, signed in if there is an email address."""
        visitor = Visitor(self.application, self._runner, origin)
        return visitor if email is None else visitor.sign_in(email)

    def demo(self, traffic: object) -> None:
        """Make it a demo."""
        self.application.state = SimpleNamespace(demo_traffic=traffic)  # type: ignore[attr-defined] # set by the demo


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A furnished shop on SQLite."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'holdfast.db'}") as shop, asyncio.Runner() as runner:
        furnish(shop)
        yield House(shop, create_application(shop.holdfast), runner)
