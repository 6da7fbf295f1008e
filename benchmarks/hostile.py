"""A till that sells beside strangers who do their worst: `python -m benchmarks.hostile [--seconds 8] [--database URL]`.

    slowloris          1,500 requests that never end
    endless header     8 connections that send one header for ever
    bodies in parts    300 bodies of 1 MiB from nobody known
    streams            200 event streams asked for with one key
    sign-ins           90 sign-ins at once from one address
    unread answers     50 clients that ask for much and read nothing
    table lock         a console that locks a table, and 40 readers behind it (PostgreSQL)

Each is measured beside the same till, which was measured alone before: its 99th percentile, what failed, and by how
much the server's memory grew (its resident set, in MiB).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.load import percentile

HOLDFAST = (sys.executable, "-m", "holdfast")
START_SECONDS = 60
PASSWORD = "a horse that sells mugs"
EMAIL = "owner@hostile.example"


class Server(NamedTuple):
    """A server process, its port, an owner's key and the token of the till."""

    process: subprocess.Popen[str]
    port: int
    api_key: str
    token: str = ""
    url: str = ""

    def client(self) -> httpx.Client:
        """A client of the owner; reading the system's certificates for plain HTTP would cost more than a sign-in."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {self.api_key}"},
            timeout=30,
            verify=False,
        )

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def memory_mib(self) -> float:
        """The resident set."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(found.group(1)) / 1024 if found else 0.0


@contextmanager
def serving(url: str, directory: Path) -> Iterator[Server]:
    """`holdfast serve` on that database, with one organisation and one product."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    environment = {**kept, "HOLDFAST_DATABASE_URL": url, "HOLDFAST_PASSWORD": PASSWORD}

    def run(*arguments: str) -> str:
        return subprocess.run(
            [*HOLDFAST, *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=True
        ).stdout

    run("migrate")
    made = json.loads(run("org", "create", "Hostile", "--owner", EMAIL, "--json"))
    process = subprocess.Popen(
        [*HOLDFAST, "serve", "--port", "0"],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.search(r"http://[\d.]+:(\d+)", said)
        assert found is not None, said
        server = Server(process, int(found.group(1)), made["api_key"])
        with server.client() as client:
            _wait(client)
            product = {"sku": "MUG-1", "title": "Mug", "price": "12.00"}
            assert client.post("/api/v1/products", json=product).status_code == 201
            line = {"product_id": "MUG-1", "quantity": 1_000_000, "unit_cost": "3.50"}
            assert client.post("/api/v1/receipts", json={"location": "MAIN", "lines": [line]}).status_code == 201
            register = client.post("/api/v1/registers", json={"store_id": "MAIN", "code": "TILL-1"}).json()
            session = client.post(f"/api/v1/registers/{register['id']}/sessions", json={"opening_float": "100.00"})
        yield server._replace(token=session.json()["token"], url=url)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _wait(client: httpx.Client) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/readyz").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not become ready")


class Till:
    """Sells one mug after another and asks for health in between; what it took and what failed."""

    def __init__(self, server: Server) -> None:
        self.taken: list[float] = []
        self.failed: list[str] = []
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sell)

    def __enter__(self) -> Till:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of a checkout, in milliseconds."""
        return percentile(self.taken, 99) * 1000

    def _sell(self) -> None:
        sale = {
            "store_id": "MAIN",
            "lines": [{"product_id": "MUG-1", "quantity": 1}],
            "payments": [{"method": "card", "amount": "12.00"}],
        }
        headers = {"Authorization": f"Register {self._server.token}"}
        with self._server.client() as client:
            while not self._stop.is_set():
                for method, path, body in (("POST", "/api/v1/pos/checkout", sale), ("GET", "/healthz", None)):
                    began = time.monotonic()
                    try:
                        answer = client.request(method, path, json=body, headers=headers)
                        if answer.status_code >= 300:
                            self.failed.append(f"{path} {answer.status_code} {answer.text[:100]}")
                    except httpx.TransportError as error:
                        self.failed.append(f"{path} {error!r}")
                    self.taken.append(time.monotonic() - began)


# What strangers do ---------------------------------------------------------------------------------------------------


def slowloris(server: Server, seconds: float) -> None:
    """1,500 requests that never end; each sends a byte now and then."""
    with contextlib.ExitStack() as stack:
        connections = []
        until = time.monotonic() + seconds
        for _ in range(1_500):
            with contextlib.suppress(OSError):
                connection = stack.enter_context(server.connect())
                connection.sendall(b"GET /healthz HTTP/1.1\r\nX-A: ")
                connections.append(connection)
        while time.monotonic() < until:
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.sendall(b"a")
            time.sleep(0.5)


def endless_header(server: Server, seconds: float) -> None:
    """8 connections that send one header for ever, and come again when they are closed."""
    until = time.monotonic() + seconds

    def send() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError), server.connect() as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nX-A: ")
                for _ in range(10_000):
                    connection.sendall(b"a" * 4096)
                    if time.monotonic() > until:
                        break

    _at_once([send] * 8)


def bodies_in_parts(server: Server, seconds: float) -> None:
    """300 bodies of 1 MiB in parts from nobody known, held open before their end."""
    head = (
        b"POST /api/v1/inventory-reservations/batch HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer hf_nobody\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    until = time.monotonic() + seconds

    def send() -> None:
        with contextlib.suppress(OSError), server.connect() as connection:
            connection.settimeout(seconds)
            connection.sendall(head)
            for _ in range(16):
                connection.sendall(part)
            time.sleep(max(0.0, until - time.monotonic()))

    _at_once([send] * 300)


def streams(server: Server, seconds: float) -> None:
    """200 event streams asked for with one key; most are refused, some stay."""
    ask = (
        b"GET /api/v1/events HTTP/1.1\r\nHost: shop\r\nAccept: text/event-stream\r\nAuthorization: Bearer "
        + server.api_key.encode()
        + b"\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            with contextlib.suppress(OSError):
                stack.enter_context(server.connect()).sendall(ask)
        time.sleep(seconds)


def sign_ins(server: Server, seconds: float) -> None:
    """90 sign-ins at once from one address."""
    until = time.monotonic() + seconds
    origin = f"http://127.0.0.1:{server.port}"

    def sign_in() -> None:
        with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=origin, timeout=60, verify=False) as client:
            form = {"email": EMAIL, "password": "not this one"}
            client.post("/sign-in", data=form, headers={"Origin": origin})

    _at_once([sign_in] * 90)
    time.sleep(max(0.0, until - time.monotonic()))


def unread_answers(server: Server, seconds: float) -> None:
    """50 clients that ask for much and read nothing."""
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: shop\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            with contextlib.suppress(OSError):
                connection = stack.enter_context(server.connect())
                connection.sendall(ask * 50)
        time.sleep(seconds)


def table_lock(server: Server, seconds: float) -> None:
    """A console that locks a table that no till needs, and 40 readers of it."""
    until = time.monotonic() + seconds

    def read() -> None:
        with contextlib.suppress(httpx.HTTPError), server.client() as client:
            client.get("/api/v1/counts", timeout=max(1.0, until - time.monotonic()))

    with psycopg.connect(server.url) as console:
        console.execute("LOCK TABLE count_sheet IN ACCESS EXCLUSIVE MODE")
        _at_once([read] * 40)
        time.sleep(max(0.0, until - time.monotonic()))


def _at_once(steps: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=step) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


ATTACKS: dict[str, Callable[[Server, float], None]] = {
    "slowloris": slowloris,
    "endless header": endless_header,
    "bodies in parts": bodies_in_parts,
    "streams": streams,
    "sign-ins": sign_ins,
    "unread answers": unread_answers,
    "table lock": table_lock,
}


class Felt(NamedTuple):
    """What the till and the server felt of an attack."""

    p99_ms: float
    sold: int
    failed: list[str]
    grown_mib: float


def felt(server: Server, attack: Callable[[Server, float], None], seconds: float) -> Felt:
    """Sell while the attack goes on."""
    before = server.memory_mib()
    most = before
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.2):
            most = max(most, server.memory_mib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    strangers = multiprocessing.get_context("fork").Process(target=attack, args=(server, seconds))
    with Till(server) as till:  # in another process than they are: its own interpreter is not what is measured
        strangers.start()
        strangers.join()
    done.set()
    watcher.join()
    return Felt(till.p99_ms, len(till.taken), till.failed, most - before)


def quiet(_: Server, seconds: float) -> None:
    """Nobody does anything."""
    time.sleep(seconds)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="how long each of them goes on")
    parser.add_argument("--database", help="a PostgreSQL database; a SQLite file without")
    options = parser.parse_args()
    table = Table(title="A till beside strangers", title_justify="left")
    for heading in ("attack", "p99 ms", "of quiet", "asked", "failed", "grown MiB"):
        table.add_column(heading, justify="left" if heading == "attack" else "right")
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        url = options.database or f"sqlite:///{folder}/shop.db"
        with serving(url, Path(folder)) as server:
            felt(server, quiet, 3)
            alone = felt(server, quiet, options.seconds)
            rows: list[tuple[str, Any]] = [("none", alone)]
            able = {name: attack for name, attack in ATTACKS.items() if attack is not table_lock or options.database}
            rows += [(name, felt(server, attack, options.seconds)) for name, attack in able.items()]
            for name, one in rows:
                table.add_row(
                    name,
                    f"{one.p99_ms:,.0f}",
                    f"{one.p99_ms / alone.p99_ms:.1f}",
                    str(one.sold),
                    str(len(one.failed)),
                    f"{one.grown_mib:,.0f}",
                )
    Console().print(table)


if __name__ == "__main__":
    main()
