"""The PostgreSQL that tests run on is real, recovers from being killed, and leaves nothing behind."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.postgres import (
    PostgresFailed,
    PostgresServer,
    _copy,
    debian_binaries,
    temporary_server,
    wheel_binaries,
)


def scalar(url: str, statement: str) -> object:
    """The one value a statement answers, on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def closes_within(*, seconds: float, port: int) -> bool:
    """Whether nobody answers on this port any more before so many seconds have passed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return True
        time.sleep(0.05)
    return False


def test_makes_a_database_and_answers_on_both_addresses() -> None:
    with temporary_server(fsync=False, settings={"work_mem": "7MB"}) as server:
        url = server.create_database("shop")

        assert scalar(url, "SELECT 1") == 1
        assert scalar(server.socket_url("shop"), "SELECT current_database()") == "shop"
        assert scalar(url, "SHOW fsync") == "off"
        assert scalar(url, "SHOW max_connections") == "200"
        assert scalar(url, "SHOW work_mem") == "7MB"
        assert scalar(url, "SHOW server_encoding") == "UTF8"
    assert not server.directory.exists()


@pytest.mark.parametrize("hard", [False, True], ids=["crash", "kill -9"])
def test_what_was_committed_is_there_after_a_kill(hard: bool) -> None:
    with temporary_server(fsync=True) as server:
        url = server.create_database("shop")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE held AS SELECT 42 AS units")
        bystander = psycopg.connect(url)

        server.kill(hard=hard)
        with pytest.raises(psycopg.OperationalError):
            bystander.execute("SELECT 1")
        bystander.close()
        server.restart()

        assert server.url("shop") == url
        assert scalar(url, "SELECT units FROM held") == 42


def test_stopping_twice_is_fine_and_the_data_stay() -> None:
    with temporary_server(fsync=False) as server:
        server.create_database("shop")
        server.stop()
        server.stop()
        server.start()

        assert scalar(server.url("shop"), "SELECT 1") == 1


@pytest.mark.parametrize("copied", [False, True], ids=["in place", "copied"])
def test_the_programs_in_the_wheel_work(copied: bool, tmp_path: Path) -> None:
    # Root's tmp_path is closed to the user who runs the server, so there the copy is copied once more.
    binaries = _copy(wheel_binaries(), tmp_path) if copied else wheel_binaries()
    with temporary_server(fsync=False, binaries=binaries) as server:
        version = scalar(server.create_database("shop"), "SHOW server_version_num")

    assert int(str(version)) >= 150_000


@pytest.mark.skipif(debian_binaries() is None, reason="Debian's PostgreSQL is not installed")
def test_the_programs_of_debian_work() -> None:
    with temporary_server(fsync=False, binaries=debian_binaries()) as server:
        assert scalar(server.create_database("shop"), "SELECT 1") == 1


def test_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(PostgresFailed, match="no initdb"):
        PostgresServer(tmp_path, fsync=False, binaries=tmp_path)
    with (
        pytest.raises(PostgresFailed, match="no_such_setting"),
        temporary_server(fsync=False, settings={"no_such_setting": 1}),
    ):
        pass


def test_ends_when_whoever_started_it_is_killed() -> None:
    program = (
        "import os, time; from tests.postgres import temporary_server\n"
        "with temporary_server(fsync=False) as server:\n"
        "    print(server.port, server.directory, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    port, directory = starter.stdout.readline().split()
    try:
        starter.kill()
        starter.communicate()
        assert closes_within(seconds=10, port=int(port))
        assert forgotten_within(seconds=10, directory=Path(directory))
    finally:
        shutil.rmtree(directory)


def forgotten_within(seconds: float, directory: Path) -> bool:
    """Has the server removed its process file? It does so after its port is closed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(directory.rglob("postmaster.pid")):
            return True
        time.sleep(0.05)
    return False


def test_each_test_has_an_empty_database_of_either_kind(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        found = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        connection.close()
    else:
        found = scalar(database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")

    assert found == 0
