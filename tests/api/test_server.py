"""The application in a real server process: sockets, streams, and a clean end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from holdfast.organisation import Established

SERVER = """
import sys, uvicorn
from holdfast.app import Holdfast
from holdfast.web.server import create_application
shop = Holdfast.open(sys.argv[1])
app = create_application(shop, close_shop=True)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", timeout_graceful_shutdown=30)
"""

Running = tuple[subprocess.Popen[bytes], httpx.Client]


@pytest.fixture
def running(founded: tuple[Path, Established], tmp_path: Path) -> Iterator[Running]:
    """A server process on a copy of the founded database, and a client of its owner."""
    path = tmp_path / "holdfast.db"
    path.write_bytes(founded[0].read_bytes())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVER, f"sqlite:///{path}", str(port)])
    headers = {"Authorization": f"Bearer {founded[1].api_key}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
        try:
            _wait(client)
            yield process, client
        finally:
            process.kill()
            process.wait()


def _wait(client: httpx.Client) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.mark.slow
def test_a_stream_ends_at_once_when_the_server_is_told_to_stop(running: Running) -> None:
    process, client = running
    assert client.post("/api/v1/products", json={"sku": "MUG-1"}).status_code == 201
    with client.stream("GET", "/api/v1/events", headers={"Accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": connected"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest = list(lines)

    process.wait(timeout=10)
    assert time.monotonic() - began < 8
    assert all(line == "" or line.split(":")[0] in ("", "id", "event", "data", "retry") for line in rest)


@pytest.mark.slow
def test_a_body_beyond_the_limit_is_answered_without_being_read(running: Running) -> None:
    _, client = running
    port = client.base_url.port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"POST /api/v1/receipts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000000\r\n\r\n{"
        )
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
        while not body:
            body = connection.recv(65536)

    assert head.startswith(b"HTTP/1.1 413")
    assert json.loads(body)["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.slow
def test_keep_alive_survives_errors(running: Running) -> None:
    _, client = running

    for _ in range(3):
        assert (
            client.post("/api/v1/products", content=b"{", headers={"Content-Type": "application/json"}).status_code
            == 400
        )
        assert client.get("/api/v1/products/none").status_code == 404
        assert client.head("/api/v1/products").status_code == 200
        assert client.post("/api/v1/products", json={}, headers={"Authorization": "Bearer hf_no"}).status_code == 401


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_a_large_body_to_its_end_hears_the_413(running: Running, chunked: bool) -> None:
    """It would hear of a broken connection instead, were the server to close while the body is still on its way."""
    _, client = running
    size, port = 6 * 1024 * 1024, client.base_url.port
    assert port is not None
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    key = client.headers["Authorization"].encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(
            b"POST /api/v1/receipts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: %b\r\n%b\r\n\r\n" % (key, length)
        )
        for _ in range(size // 65536):
            connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n" if chunked else b" " * 65536)
            time.sleep(0.002)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413") and b"connection: close" in head.lower()
    assert json.loads(body)["code"] == "PAYLOAD_TOO_LARGE"
