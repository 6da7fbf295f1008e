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
import msgspec
import pytest
import uvicorn

from holdfast.app import Holdfast
from holdfast.organisation import establish
from holdfast.web.http.protocol import BoundedProtocol, Bounds, Connections, networks_of
from holdfast.web.server import create_application

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


LARGE = b"GET /healthz HTTP/1.1\r\nHost: shop\r\nX: " + b"a" * 70_000 + b"\r\n\r\n"


@pytest.mark.parametrize("cut", [0, 60_000], ids=["all at once", "begun with the request before"])
def test_a_head_beyond_the_bounds_is_refused_behind_another_request(served: Served, cut: int) -> None:
    """Its first bytes come with the end of the request before, whose answer is none of it."""
    first = b"POST /healthz HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000
    with served.connect() as connection:
        connection.sendall(first)
        time.sleep(0.2)
        connection.sendall(b"x" * 50_000 + LARGE[: cut or None])
        time.sleep(0.3)
        with contextlib.suppress(ConnectionError):
            if cut:
                connection.sendall(LARGE[cut:])
        said = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                said += part
    assert b"HTTP/1.1 200" not in said


def _chunked(*headers: bytes) -> bytes:
    """The head of a request whose body comes in chunks."""
    own = (b"Host: shop", b"Content-Type: application/json", b"Transfer-Encoding: chunked", *headers)
    return b"\r\n".join((b"POST /api/v1/products HTTP/1.1", *own, b"", b""))


def _send_on(connection: socket.socket) -> None:
    for _ in range(2_000):
        connection.sendall(b"a" * 4096)
        time.sleep(0.001)


@pytest.mark.parametrize(
    "framing",
    [b"0\r\nX: " + b"a" * 4096, b"2;x=" + b"a" * 4096, b"0\r\n" + b"X: a\r\n" * 700],
    ids=["trailer", "extension", "trailers"],
)
def test_what_stands_around_a_body_has_a_bound(served: Served, framing: bytes) -> None:
    """Trailers and extensions of chunks are no part of a body, and were counted by nobody."""
    with served.connect() as connection:
        connection.sendall(_chunked() + framing)
        with pytest.raises(ConnectionError):
            _send_on(connection)


def test_a_trailer_is_no_header(served: Served) -> None:
    """Who authenticates, from where, and what a proxy says stands in the head alone (RFC 9110, section 6.5.1)."""
    body = b'{"sku": "A", "title": "A"}'
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    trailer = b"Authorization: Bearer " + served.api_key.encode()
    with served.connect() as connection:
        connection.sendall(_chunked(b"Connection: close") + chunk + trailer + b"\r\n\r\n")
        status, problem = answer_of(connection)
    assert (status, problem["code"]) == (401, "UNAUTHORIZED")
    with served.connect() as connection:  # in the head it is one
        head = _chunked(b"Connection: close", trailer)
        connection.sendall(head + chunk + b"X-Nothing: at all\r\n\r\n")
        assert answer_of(connection)[0] == 201


def test_a_body_in_small_parts_is_taken(served: Served) -> None:
    body = b'{"sku": "A", "title": "' + b"A" * 180 + b'"}'
    head = _chunked(b"Connection: close", b"Authorization: Bearer " + served.api_key.encode())
    with served.connect() as connection:
        connection.sendall(head)
        for sign in body:
            connection.sendall(b"1\r\n%c\r\n" % sign)
        connection.sendall(b"0\r\n\r\n")
        assert answer_of(connection)[0] == 201


def test_requests_behind_one_another_have_a_bound(served: Served) -> None:
    """A few are answered in their order; thousands that nobody reads the answers of are not kept."""
    ask = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"
    with served.connect() as connection:
        connection.sendall(ask * 9 + ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        raw = b""
        while part := connection.recv(65536):
            raw += part
        assert raw.count(b"HTTP/1.1 200") == 10
    with served.connect() as connection:
        raw = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(ask * 5_000)
            while part := connection.recv(65536):
                raw += part
        assert raw.count(b"HTTP/1.1 200") < 100


@pytest.mark.parametrize(
    "body",
    [
        b'{"\\u0061": ' + b"[" * 900 + b'"", ' * 100_000 + b"1" + b"]" * 900 + b"}",
        b'{"title": "a' + "\u0301".encode() * 60_000 + "\u0323".encode() * 60_000 + b'"}',
        b'{"x": [' + b"1.5," * 199_000 + b"1]}",
        b"[" * 500_000,
    ],
    ids=["deep", "marks", "numbers", "brackets"],
)
def test_a_body_that_is_hard_to_read_keeps_nobody_waiting(served: Served, body: bytes) -> None:
    """It is refused, in a time that grows with its bytes alone, and aside: the first three stopped all for minutes."""
    answers: list[httpx.Response] = []

    def post() -> None:
        with served.client() as client:
            headers = {"Content-Type": "application/json"}
            answers.append(client.post("/api/v1/products", content=body, headers=headers, timeout=60))

    with served.client() as client:
        assert client.get("/healthz").status_code == 200
        sender = threading.Thread(target=post)
        sender.start()
        slowest = 0.0
        while sender.is_alive():
            began = time.monotonic()
            assert client.get("/healthz").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        sender.join()
    assert answers[0].status_code == 400
    assert slowest < 3


def test_an_address_that_is_hard_to_read_keeps_nobody_waiting(served: Served) -> None:
    """Nobody has said who they are yet."""
    path = "/api/v1/products/a" + "%CC%81" * 5_200 + "%CC%A3" * 5_200
    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=20) as client:
        began = time.monotonic()
        for _ in range(20):
            assert client.get(path).status_code == 401
        assert time.monotonic() - began < 4  # 0.4 s each, before


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


def test_who_does_not_read_the_answer_is_closed(tmp_path: Path) -> None:
    """So many may be asked for here that they do not fit between the two sides."""
    with serving(tmp_path, msgspec.structs.replace(SHORT, pipelined=100)) as served:
        _ask_and_do_not_read(served)


def _ask_and_do_not_read(served: Served) -> None:
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
