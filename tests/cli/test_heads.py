"""`export heads`, `check --heads`, `migrate --application-role` and the note of `serve`: who could rewrite the past."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli import run
from holdfast.cli.serving import note_of_owner
from holdfast.db.engine import Database
from tests.cli.conftest import Cli
from tests.conftest import APPLICATION, Postgres, as_role
from tests.shop import unguard


@pytest.fixture
def stocked(cli: Cli, acme: dict[str, str], tmp_path: Path) -> Path:
    """Acme with some stock, and a key beside it."""
    (tmp_path / "products.csv").write_text("sku,title\nMUG-1,Mug\n")
    (tmp_path / "stock.csv").write_text("sku,location,quantity\nMUG-1,MAIN,5\n")
    assert cli("import", "products", "products.csv", "--org", "Acme").code == 0
    assert cli("import", "stock", "stock.csv", "--org", "Acme").code == 0
    key = tmp_path / "heads.key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    return key


def test_heads_are_exported_and_compared(cli: Cli, stocked: Path, tmp_path: Path, database_url: str) -> None:
    heads = cli("export", "heads", "--key-file", stocked)
    assert (heads.code, heads.err) == (0, "")
    assert (heads.json["count"], heads.json["entries"], len(heads.json["signature"])) == (1, 1, 64)
    assert heads.json["levels"][0]["sku"] == "MUG-1"
    (tmp_path / "heads.json").write_text(heads.out)

    clean = cli("check", "--heads", "heads.json", "--key-file", stocked)
    assert (clean.code, clean.out) == (0, "Everything is as the ledger says.\n")

    database = Database(database_url)
    unguard(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger")
        connection.exec_driver_sql("UPDATE level SET seq = 0")
    database.dispose()
    gone = cli("check", "--heads", "heads.json", "--key-file", stocked, "--json")
    assert gone.code == 1
    told = [one for one in gone.json["mismatches"] if one["invariant"] == "ledger is as it was exported"]
    assert [(one["expected"], one["found"]) for one in told] == [("1 entries", "0 entries")]


def test_heads_of_one_organisation_and_without_a_key(cli: Cli, stocked: Path, tmp_path: Path) -> None:
    cli("org", "create", "Other", "--owner", "bo@other.example")

    other = cli("export", "heads", "--org", "Other")
    everybody = cli("export", "heads")

    assert (other.json["count"], other.json["signature"]) == (0, None)
    assert everybody.json["count"] == 1 and "Not signed" in everybody.err
    (tmp_path / "heads.json").write_text(everybody.out)
    assert cli("check", "--org", "Other", "--heads", "heads.json").code == 0
    assert "signature was not looked at" in cli("check", "--heads", "heads.json").err


def test_a_key_or_file_that_does_not_fit_is_no_mismatch(cli: Cli, stocked: Path, tmp_path: Path) -> None:
    (tmp_path / "heads.json").write_text(cli("export", "heads", "--key-file", stocked).out)
    (tmp_path / "other.key").write_text("another key, long enough")
    (tmp_path / "short.key").write_text("short")

    for arguments in (
        ("check", "--heads", "heads.json", "--key-file", "other.key"),
        ("check", "--heads", "heads.json", "--key-file", "short.key"),
        ("check", "--heads", "stock.csv"),
        ("check", "--heads", "nowhere.json"),
        ("check", "--key-file", stocked),
        ("export", "heads", "--key-file", "short.key"),
    ):
        refused = cli(*arguments)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1), (arguments, refused)


def test_the_application_serves_and_the_owner_migrates(
    postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    postgres_server.create_role(APPLICATION, APPLICATION)
    name = postgres_server.create_database()
    owner = postgres_server.url(name)
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", owner)
    assert run(["migrate", "--application-role", APPLICATION]) == 0
    assert f"The role {APPLICATION} may serve" in capsys.readouterr().out

    monkeypatch.setenv("HOLDFAST_DATABASE_URL", as_role(owner, APPLICATION))
    assert run(["org", "create", "Acme", "--owner", "ana@acme.example"]) == 0
    assert run(["check"]) == 0
    capsys.readouterr()
    assert run(["migrate"]) == 1
    told = capsys.readouterr().err
    assert "run `holdfast migrate` as that role" in told and told.count("\n") == 1

    for url, noted in ((owner, True), (as_role(owner, APPLICATION), False)):
        database = Database(url)
        assert (note_of_owner(database) is not None) is noted
        database.dispose()
    postgres_server.drop_database(name)
