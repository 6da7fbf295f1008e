"""Connections of strangers: what they send is bounded before anybody asks who they are, and others are served on."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn

from holdfast.app import Holdfast
from holdfast.organisation import establish
from holdfast.web.application import create_application
from holdfast.web.protocol import BoundedProtocol, Bounds, Connections, networks_of

SHORT = Bounds(head_seconds=1.0, body_seconds=1.0, unread_seconds=1.0, connections=20, per_address=1000)
"""Bounds that a test can wait for."""


class Served(NamedTuple):
    """A server in a thread of this process, and its owner's key."""

    port: int
    api_key: str

    def client(self) -> httpx.Client:
        """A client of the owner."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {self.api_key}"}, timeout=20
        )

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@contextlib.contextmanager
def serving(path: Path, bounds: Bounds, url: str | None = None) -> Iterator[Served]:
    """Serve a fresh organisation within these bounds, in a SQLite file under the path or at the URL."""

    class Protocol(BoundedProtocol):
        known = Connections(bounds)

    with Holdfast.open(url or f"sqlite:///{path}/holdfast.db", read_seconds=30) as shop:
        made = establish(shop.database, "Acme", "owner@acme.example")
        application = create_application(shop)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            config = uvicorn.Config(application, http=Protocol, log_config=None, ws="none")
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                until = time.monotonic() + 30
                while not server.started and time.monotonic() < until:
                    time.sleep(0.02)
                yield Served(listener.getsockname()[1], made.api_key)
            finally:
                server.should_exit = server.force_exit = True
                thread.join(20)
        application.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A server with short bounds."""
    with serving(tmp_path, SHORT) as running:
        yield running


def answer_of(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and the problem that a connection is closed with."""
    raw = b""
    while part := connection.recv(65536):
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_an_endless_header_is_refused(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: shop\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"a" * 4096)
                time.sleep(0.001)
        status, problem = answer_of(connection)
    assert (status, problem["code"]) == (431, "HEADERS_TOO_LARGE")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: shop\r\nX: " + b"a" * 70_000,
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: shop",
        b"GET /healthz HTTP/1.1\r\nHost: shop" + b"".join(b"\r\nX-%d: a" % number for number in range(101)),
    ],
    ids=["value", "address", "count"],
)
def test_a_head_beyond_the_bounds_is_refused(served: Served, head: bytes) -> None:
    with served.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        status, problem = answer_of(connection)
    assert (status, problem["code"]) == (431, "HEADERS_TOO_LARGE")


def test_what_is_within_the_bounds_is_answered(served: Served) -> None:
    with served.client() as client:
        headers = {f"X-{number}": "a" * 600 for number in range(90)}
        for _ in range(3):  # on one connection
            assert client.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /healthz HTTP/1.1\r\nHost:", b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n" + b"GET /he"],
    ids=["nothing", "half", "second"],
)
def test_a_head_that_does_not_end_is_given_up(served: Served, sent: bytes) -> None:
    with served.connect() as connection:
        connection.sendall(sent)
        began = time.monotonic()
        raw = b""
        while part := connection.recv(65536):
            raw += part
    assert b"HTTP/1.1 408" in raw
    assert time.monotonic() - began < 6


def test_a_body_that_does_not_come_is_given_up(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(
            b"POST /api/v1/products HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer %b\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{" % served.api_key.encode()
        )
        began = time.monotonic()
        while connection.recv(65536):
            pass
    assert time.monotonic() - began < 6


def test_who_does_not_read_the_answer_is_closed(served: Served) -> None:
    with served.client() as client:
        for number in range(200):
            assert client.post("/api/v1/products", json={"sku": f"SKU-{number}", "title": "x" * 200}).status_code == 201
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with connection:
        connection.connect(("127.0.0.1", served.port))
        ask = b"GET /api/v1/products?limit=200 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer %b\r\n\r\n"
        connection.sendall((ask % served.api_key.encode()) * 100)
        time.sleep(4)
        received = 0
        connection.settimeout(10)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += len(part)
    assert 0 < received < 100 * 60_000


def test_the_idlest_connection_makes_room(served: Served) -> None:
    """Half-open requests take every place: somebody who sends a whole one gets in all the same."""
    with contextlib.ExitStack() as stack:
        strangers = [stack.enter_context(served.connect()) for _ in range(40)]
        for stranger in strangers:
            with contextlib.suppress(ConnectionError):
                stranger.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        with served.client() as client:
            assert client.get("/healthz").status_code == 200
            for _ in range(5):
                more = stack.enter_context(served.connect())
                more.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
            assert client.get("/healthz").status_code == 200  # on the same connection: strangers went first
        gone = 0
        for stranger in strangers[:20]:
            stranger.settimeout(0.2)
            with contextlib.suppress(TimeoutError, ConnectionError):
                stranger.recv(1)
            with contextlib.suppress(ConnectionError):
                stranger.sendall(b"a")
                time.sleep(0.01)
                stranger.sendall(b"a")
                continue
            gone += 1
        assert gone >= 15


def test_an_address_has_a_bound(tmp_path: Path) -> None:
    with serving(tmp_path, Bounds(per_address=5)) as served, contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(served.connect())
        time.sleep(0.2)
        with served.connect() as sixth:
            status, problem = answer_of(sixth)
        assert (status, problem["code"]) == (503, "UNAVAILABLE")


def test_a_trusted_proxy_has_none(tmp_path: Path) -> None:
    bounds = Bounds(per_address=5, proxies=networks_of("127.0.0.0/8, ::1"))
    with serving(tmp_path, bounds) as served, contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(served.connect())
        with served.client() as client:
            assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(("size", "status"), [(10, 401), (1_200_000, 413)])
def test_nobody_unknown_has_a_body_kept(served: Served, size: int, status: int) -> None:
    """It is counted, so that the order of errors holds, and thrown away."""

    def parts() -> Iterator[bytes]:
        for _ in range(0, size, 10_000):
            yield b"x" * min(size, 10_000)

    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}") as client:
        headers = {"Authorization": "Bearer hf_nobody", "Content-Type": "application/json"}
        answer = client.post("/api/v1/receipts", headers=headers, content=parts())
    assert answer.status_code == status


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1",
        b"GET /healthz HTTP/1.1\r\nHost: evil.example",
        b"GET /healthz HTTP/1.1\r\nHost: shop.example\r\nHost: evil.example",
        b"GET http://evil.example/healthz HTTP/1.1\r\nHost: shop.example",
        b"GET /healthz HTTP/1.0",
    ],
    ids=["none", "other", "two", "address", "old"],
)
def test_a_server_is_called_by_its_name(tmp_path: Path, head: bytes) -> None:
    """A page elsewhere whose name leads here (DNS rebinding) reads nothing."""
    with serving(tmp_path, Bounds(hosts=frozenset({"shop.example", "127.0.0.1"}))) as served:
        with served.connect() as connection:
            connection.sendall(head + b"\r\n\r\n")
            status, problem = answer_of(connection)
        assert (status, problem["code"]) == (400, "INVALID_REQUEST")
        with served.client() as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/healthz", headers={"Host": "Shop.Example:8000"}).status_code == 200
