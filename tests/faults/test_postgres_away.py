"""PostgreSQL goes away in mid-load: killed, shut down, connections ended, commits whose answer never arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from holdfast import executor
from holdfast.db import engine, failures
from holdfast.db.batch import session
from holdfast.db.engine import Database
from holdfast.executor import batch
from tests.faults.clients import Clients
from tests.postgres import temporary_server
from tests.races.stand import (
    ANSWER_SECONDS,
    Tally,
    assert_books,
    buy,
    found,
    open_shop,
    outcome_of,
    rush,
    stock_up,
)

UNITS = 1_000_000


@pytest.mark.slow
def test_the_server_ends_in_mid_load_and_comes_back():
    """Crashed, killed, shut down: clients go on asking, and when it is back traffic resumes by itself."""
    with (
        temporary_server(fsync=True, settings={"max_connections": 60}) as server,
        open_shop(server.create_database("shop")) as shop,
    ):
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        clients = Clients(shop, actor)
        ends = (server.kill, lambda: server.kill(hard=True), server.stop)
        for end in ends:
            clients.wait_for_more(50)
            end()
            time.sleep(0.2)
            server.start()
        clients.wait_for_more(50)
        clients.stop()
        clients.assert_kept()


def test_connections_are_ended_in_mid_load(postgres_url):
    """pg_terminate_backend of whatever the executor uses, again and again."""
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        clients = Clients(shop, actor)
        ended = 0
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            while ended < 8:
                clients.wait_for_more(5)
                time.sleep(ended % 4 * 0.001)
                ended += connection.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'holdfast'"
                ).fetchone()[0]
        clients.wait_for_more(50)
        clients.stop()
        clients.assert_kept()


def test_statements_are_cancelled_in_mid_load(postgres_url):
    """pg_cancel_backend: the batch fails as a whole, and is simply done again."""
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        clients = Clients(shop, actor)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for _ in range(40):
                connection.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'holdfast'"
                )
                time.sleep(0.01)
        clients.wait_for_more(20)
        clients.stop()
        clients.assert_kept()


def test_a_process_that_stops_in_mid_batch_is_not_waited_for_for_ever(postgres_url, monkeypatch):
    """Paused, or its machine is gone, with the level locked: the server ends its transaction, and others go on."""
    monkeypatch.setattr(engine, "IDLE_IN_TRANSACTION_SECONDS", 1)
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        [level] = assert_books(shop, actor).levels
        stopped = Database(postgres_url)
        with contextlib.closing(session.open_batch_session(stopped)) as orphan:
            orphan.begin(actor.org_id, [(level["product_id"], level["location_id"])], [], [])

            outcomes = rush(shop, actor, [buy("MUG-1", f"o-{n}") for n in range(50)], threads=4)
        stopped.dispose()
        assert Tally(outcomes).accepted == 50, Tally(outcomes).failed[:3]
        assert_books(shop, actor)


@pytest.fixture
def quick(monkeypatch):
    """Pauses of an absent database, shortened."""
    monkeypatch.setattr(batch, "AWAY_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(batch, "PAUSE_SECONDS_MAX", 0.02)


def _lose_the_answer(monkeypatch, away: int, error: type[Exception] = failures.Away) -> None:
    """The next commit goes through, its answer is lost, and `away` statements after it end in the error."""
    left = away
    lost = threading.Event()
    real_finish, real_begin = session.PostgresBatchSession.finish, session.PostgresBatchSession.begin
    real_fetch = session.PostgresBatchSession.fetch

    def gone() -> bool:
        nonlocal left
        if not lost.is_set() or left <= 0:
            return False
        left -= 1
        return True

    def finish(self, writes, **how):
        saved = real_finish(self, writes, **how)
        if not lost.is_set():
            lost.set()
            self.connection.close()
            raise failures.Lost("the answer to COMMIT was lost")
        return saved

    def fetch(self, sql, **parameters):
        if gone():
            raise error("no route to the database")
        return real_fetch(self, sql, **parameters)

    def begin(self, *arguments, **options):
        if gone():
            raise error("no route to the database")
        return real_begin(self, *arguments, **options)

    monkeypatch.setattr(session.PostgresBatchSession, "finish", finish)
    monkeypatch.setattr(session.PostgresBatchSession, "fetch", fetch)
    monkeypatch.setattr(session.PostgresBatchSession, "begin", begin)


@pytest.mark.parametrize("away", [0, 3, 8, 25])
def test_a_commit_whose_answer_is_lost_is_found_out_however_long_it_takes(postgres_url, monkeypatch, quick, away):
    """Neither done again, nor called undone: a batch that may have been committed is settled by what is there."""
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)
        _lose_the_answer(monkeypatch, away)
        names = [f"o-{n}" for n in range(60)]

        outcomes = [outcome_of(future) for future in [shop.submit(actor, buy("MUG-1", name)) for name in names]]

        monkeypatch.undo()
        assert Tally(outcomes).accepted == 60, Tally(outcomes).failed[:3]
        assert assert_books(shop, actor).orders() == dict.fromkeys(names, 1)
        assert Tally([outcome_of(shop.submit(actor, buy("MUG-1", "after")))]).accepted == 1


@pytest.mark.parametrize("error", [failures.Away, failures.Blocked, failures.Conflict])
def test_an_outcome_that_cannot_be_found_out_is_called_unknown(postgres_url, monkeypatch, quick, error):
    """The database stays away, or what was lost keeps its locks.

    The answer does not say that nothing was done, and the key tells it later.
    """
    monkeypatch.setattr(batch, "UNKNOWN_SECONDS", 0.1)
    monkeypatch.setattr(batch, "UNKNOWN_TRIES_MAX", 10**9)  # the time ends it, whatever the database says
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)
        _lose_the_answer(monkeypatch, 1_000_000, error)
        names = [f"o-{n}" for n in range(20)]
        commands = [buy("MUG-1", name) for name in names]

        first = outcome_of(shop.submit(actor, commands[0], key=names[0], fingerprint="one"))

        assert isinstance(first, executor.OutcomeUnknown), f"it was done, and its caller was told {first!r}"
        monkeypatch.undo()
        again = Tally(rush(shop, actor, commands, keys=names))
        assert (again.accepted, again.replayed, again.failed) == (19, 1, [])
        assert assert_books(shop, actor).orders() == dict.fromkeys(names, 1)


def _rest_of(client: socket.socket) -> bytes:
    """What the client has to say to the end of its pipeline, before it waits for an answer."""
    rest = b""
    client.settimeout(0.1)
    with contextlib.suppress(TimeoutError):
        while more := client.recv(65536):
            rest += more
    return rest


class SlowCommit:
    """A network in front of the server: on demand it takes a COMMIT, hangs up, and delivers it later."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.hang_up = threading.Event()
        self.delivered = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Hang up on everybody."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(ANSWER_SECONDS)
        for one in self._sockets:
            one.close()

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [client, server]
                self._start(self._carry, server, client)
                self._start(self._carry_commits, client, server)

    def _carry(self, origin: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := origin.recv(65536):
                target.sendall(data)

    def _carry_commits(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT" in data and self.hang_up.is_set():
                    self.hang_up.clear()
                    data += _rest_of(client)
                    client.shutdown(socket.SHUT_RDWR)
                    time.sleep(1.2)
                    server.sendall(data)
                    time.sleep(0.3)
                    self.delivered.set()
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)


def test_a_commit_that_arrives_after_its_connection_is_gone_is_not_done_twice(postgres_url):
    """The network hangs up and delivers the COMMIT later: asking once whether it went through is too early."""
    parts = urllib.parse.urlsplit(postgres_url)
    network = SlowCommit(parts.port or 5432)
    through = parts._replace(netloc=f"{parts.username}@127.0.0.1:{network.port}").geturl()
    with open_shop(postgres_url) as direct, open_shop(through) as shop:
        actor = found(direct)
        stock_up(direct, actor, "MUG-1", 1000)
        assert Tally([outcome_of(shop.submit(actor, buy("MUG-1", "warm")))]).accepted == 1
        network.hang_up.set()
        names = [f"o-{n}" for n in range(20)]

        futures = [shop.submit(actor, buy("MUG-1", name)) for name in names]
        outcomes = [outcome_of(future) for future in futures]

        assert network.delivered.wait(ANSWER_SECONDS)
        orders = assert_books(direct, actor).orders()
        assert max(orders.values()) == 1, "a batch was done twice"
        for name, one in zip(names, outcomes, strict=True):
            assert orders[name] == Tally([one]).accepted, f"{name}: {one!r}"
    network.close()
