"""`holdfast migrate`, `check`, `sweep`, `bench`: looking after a database."""

from __future__ import annotations

import importlib
import importlib.util
import sys

import typer

from holdfast.cli.terminal import Misuse, say
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from holdfast.settings import load


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("migrate")(migrate_database)
    app.command("bench", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench)


def migrate_database() -> None:
    """Bring the database to the schema that this version needs. Back it up before."""
    database = Database(load().database_url)
    try:
        ran = migrate(database, lambda step: say(f"Step {step} ..."))
    finally:
        database.dispose()
    say("The database is current." if ran else "The database was current already.")


def bench(context: typer.Context) -> None:
    """Measure how many holds a second this machine makes."""
    if importlib.util.find_spec("holdfast.bench") is None:
        raise Misuse("This version of Holdfast has no benchmark.")
    code = importlib.import_module("holdfast.bench").main(context.args)
    sys.stdout.flush()
    raise typer.Exit(code or 0)
