"""migrate, check, sweep: looking after a database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import __version__
from holdfast.db.engine import Database
from holdfast.db.migrate import revisions
from tests.cli.conftest import Cli


def test_migrate_says_what_it_did(cli: Cli) -> None:
    steps = "".join(f"Step {revision} ...\n" for revision in revisions())
    assert cli("migrate").out == f"{steps}The database is current.\n"
    assert cli("migrate").out == "The database was current already.\n"


def test_a_newer_database_is_refused_with_what_to_do(cli: Cli, acme: dict[str, str], database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001_later'")
    database.dispose()

    refused = cli("org", "list")

    assert refused.code == 1 and "newer Holdfast" in refused.err


def test_check_finds_what_was_changed_behind_its_back(
    cli: Cli, acme: dict[str, str], tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "products.csv").write_text("sku,title\nMUG-1,Mug\n")
    (tmp_path / "stock.csv").write_text("sku,location,quantity\nMUG-1,MAIN,5\n")
    cli("import", "products", "products.csv", "--org", "Acme")
    cli("import", "stock", "stock.csv", "--org", "Acme")

    clean = cli("check", "--org", "Acme", "--json")
    assert (clean.code, clean.json["ok"], clean.json["mismatches"]) == (0, True, [])
    assert cli("check").out == "Everything is as the ledger says.\n"

    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE level SET on_hand = 6")
    database.dispose()

    wrong = cli("check", "--json")
    assert (wrong.code, wrong.json["ok"]) == (1, False)
    assert {"invariant", "org_id", "sku", "location", "lot_id", "reservation_id", "expected", "found"} <= set(
        wrong.json["mismatches"][0]
    )
    told = cli("check")
    assert told.code == 1 and "MUG-1" in told.out


def test_sweep_says_how_much_was_due(cli: Cli, acme: dict[str, str]) -> None:
    assert cli("sweep").out == "0 levels settled.\n"


@pytest.mark.parametrize("group", [(), ("org",), ("key",), ("user",), ("import",), ("export",)])
def test_a_command_that_is_not_finished_shows_its_help(cli: Cli, group: tuple[str, ...]) -> None:
    shown = cli(*group)

    assert shown == (2, cli(*group, "--help").out, "")
    assert shown.out.startswith(" ".join(("Usage: holdfast", *group))) and "\nCommands:\n" in shown.out


def test_python_can_run_the_package() -> None:
    asked = [sys.executable, "-m", "holdfast"]
    version = subprocess.run([*asked, "--version"], capture_output=True, text=True, check=False)
    refused = subprocess.run([*asked, "frobnicate"], capture_output=True, text=True, check=False)

    assert (version.returncode, version.stdout) == (0, f"holdfast {__version__}\n")
    assert refused.returncode == 2 and refused.stderr.startswith("holdfast: ") and refused.stdout == ""


def test_help_names_every_command(cli: Cli) -> None:
    shown = cli("--help")

    assert shown.code == 0
    for command in ("serve", "demo", "migrate", "org", "key", "user", "check", "import", "export", "sweep", "bench"):
        assert command in shown.out
