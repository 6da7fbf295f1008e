"""What a command says, and how it ends, when it cannot reach the database or loses it on the way."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from holdfast.cli import upkeep
from holdfast.db import audit_rows
from holdfast.db.engine import Database
from tests.cli.conftest import Cli, Ran

COMMANDS = (
    ("check",),
    ("migrate",),
    ("sweep",),
    ("org", "list"),
    ("org", "create", "Beta", "--owner", "bo@beta.example"),
    ("key", "create", "--org", "Acme", "--role", "staff"),
    ("user", "add", "--org", "Acme", "--email", "cy@acme.example", "--role", "staff"),
    ("export", "stock", "--org", "Acme"),
    ("export", "ledger", "--org", "Acme"),
    ("export", "journal", "--org", "Acme"),
    ("import", "stock", "stock.csv", "--org", "Acme"),
    ("import", "orders", "stock.csv", "--org", "Acme", "--dry-run"),
)
AWAY = "postgresql://nobody:secret@127.0.0.1:1/none"


def assert_one_line(ran: Ran, code: int) -> None:
    assert ran.code == code, ran
    assert ran.out == "", ran
    assert ran.err.startswith("holdfast: ") and ran.err.count("\n") == 1, ran.err
    assert "secret" not in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("url", [AWAY, "sqlite:////nowhere/at/all/shop.db"])
def test_a_database_that_is_away(cli: Cli, monkeypatch: pytest.MonkeyPatch, command: Any, url: str) -> None:
    Path("stock.csv").write_text("sku,location,quantity\n")
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)

    assert_one_line(cli(*command), 2 if command == ("check",) else 1)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:secret@127.0.0.1:port/none",
        "postgresql://nobody:secret@127.0.0.1:1,127.0.0.1:2/none",
        "postgresql://nobody:secret@[::1/none",
        "postgresql://nobody@127.0.0.1:1/none?password=secret",
        "mysql://nobody:secret@127.0.0.1/none",
    ],
)
def test_an_address_that_is_none(cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)

    assert_one_line(cli("check"), 2)
    assert_one_line(cli("check", "--json"), 2)


def test_check_of_what_is_not_there(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    """An organisation that does not exist was not looked at; neither was a database that is of another version."""
    assert_one_line(cli("check", "--org", "Nope"), 2)
    assert_one_line(cli("check", "--org", "0190c9a0-0000-7000-8000-000000000000", "--json"), 2)


def test_check_of_an_empty_database(cli: Cli) -> None:
    assert_one_line(cli("check"), 2)


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_check_of_another_version(cli: Cli, acme: dict[str, str], database_url: str, revision: str) -> None:
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    database.dispose()

    assert_one_line(cli("check"), 2)


def test_check_of_a_file_that_is_no_database(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list.db").write_text("milk, eggs, bread\n" * 100)
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "sqlite:///list.db")

    assert_one_line(cli("check"), 2)


def test_a_table_that_is_gone(cli: Cli, acme: dict[str, str], database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE posting")
    database.dispose()

    assert_one_line(cli("check"), 2)
    assert_one_line(cli("export", "journal", "--org", "Acme"), 1)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients already\nIs it running?"),
        sqlite3.OperationalError("database is locked"),
        sqlite3.DatabaseError("database disk image is malformed"),
        PermissionError(13, "Permission denied", "shop.db"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_breaks_while_check_looks(
    cli: Cli, acme: dict[str, str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The schema was seen, then the database gave no more connections, or broke off."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(audit_rows.Snapshot, "journal_entries", broken)
    assert_one_line(cli("check"), 2)

    monkeypatch.setattr(Database, "connect_sqlite", broken)
    monkeypatch.setattr(Database, "connect_postgresql", broken)
    assert_one_line(cli("check"), 2)


def test_a_fault_of_ours_is_no_mismatch(cli: Cli, acme: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object, **__: object) -> None:
        raise TypeError("not a number")

    monkeypatch.setattr(upkeep, "check", faulty)
    ran = cli("check")

    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" in ran.err and re.search(r"^holdfast: .*not a number", ran.err, re.MULTILINE)


def test_whoever_reads_the_answer_may_go_away(tmp_path: Path, sqlite_url: str) -> None:
    """The exit code tells of the data, whether somebody reads the words or not."""
    environment = {**os.environ, "HOLDFAST_DATABASE_URL": sqlite_url}
    founded = [sys.executable, "-m", "holdfast", "org", "create", "Acme", "--owner", "ana@acme.example"]
    subprocess.run(founded, env=environment, check=True, capture_output=True, cwd=tmp_path)
    command = [sys.executable, "-m", "holdfast", "check"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, text=True, **pipes) as looked:
        assert looked.stdout is not None and looked.stderr is not None
        looked.stdout.close()
        told = looked.stderr.read()

    assert looked.returncode == 0 and "Error" not in told
