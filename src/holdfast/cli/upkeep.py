"""`holdfast migrate`, `check`, `sweep`, `bench`: looking after a database."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from holdfast.app import Holdfast
from holdfast.check import CheckResult, check
from holdfast.check.heads import HeadsRefused, key_of, read_heads
from holdfast.cli.choices import AsJson
from holdfast.cli.files import KeyFile
from holdfast.cli.terminal import (
    Misuse,
    NotLooked,
    Refusal,
    forget_output,
    progress,
    ready_database,
    say,
    say_json,
    tell,
)
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from holdfast.db.unreachable import DatabaseUnreachable, reaching
from holdfast.db.upkeep.seal import seal
from holdfast.organisation import NotPossible, organisation_of
from holdfast.settings import load

MISMATCHES_PRINTED = 1000
"""Most mismatches that are printed for people; JSON has all of them."""


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("migrate")(migrate_database)
    app.command("check")(check_database)
    app.command("sweep")(sweep_database)
    app.command("bench", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench)


def migrate_database(
    application_role: Annotated[
        str | None,
        typer.Option(
            "--application-role",
            metavar="NAME",
            help="PostgreSQL: let this role serve: it may add to what is append-only, not rewrite it.",
        ),
    ] = None,
) -> None:
    """Bring the database to the schema that this version needs. Back it up before."""
    database = Database(load().database_url)
    try:
        ran = migrate(database, lambda step: say(f"Step {step} ..."), application_role=application_role)
        with progress("levels sealed") as show:
            sealed = seal(database, lambda done: show(done, None))
    finally:
        database.dispose()
    if sealed:
        say(f"Sealed the older ledger of {sealed} level{'' if sealed == 1 else 's'}.")
    if application_role is not None:
        say(f"The role {application_role} may serve, and may not rewrite what was written.")
    say("The database is current." if ran else "The database was current already.")


def check_database(
    org: Annotated[
        str | None, typer.Option("--org", metavar="ORG", help="Only this organisation: its id or name.")
    ] = None,
    heads: Annotated[
        Path | None,
        typer.Option("--heads", metavar="FILE", help="Compare with heads that `export heads` wrote earlier."),
    ] = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Recompute everything from the ledger and name what differs: exit code 1. Where it could not look: 2."""
    if key_file is not None and heads is None:
        raise Misuse("--key-file goes with --heads.")
    found = _looked(org, heads, key_file)
    try:
        _tell_mismatches(found, as_json=as_json)
    except BrokenPipeError:
        forget_output()
    if not found.ok:
        raise typer.Exit(1)


def _looked(org: str | None, heads: Path | None, key_file: Path | None) -> CheckResult:
    """What the check found; NotLooked when the database, its schema or the organisation kept it from looking."""
    try:
        with ready_database() as database, progress("rows") as show:
            with reaching(database):
                org_id = None if org is None else organisation_of(database, org).id
            if heads is None:
                return check(database, org_id=org_id, progress=show)
            with heads.open("rb") as file:
                key = key_of(key_file)
                exported = read_heads(file, key)
                if key is None:
                    tell(f"{heads}: its signature was not looked at; --key-file names the key.")
                return check(database, org_id=org_id, progress=show, heads=exported)
    except (Refusal, NotPossible, DatabaseUnreachable, HeadsRefused) as error:
        raise NotLooked(str(error)) from error
    except OSError as error:
        raise NotLooked(f"{error.filename or 'The system'}: {error.strerror or error}.") from error


def _tell_mismatches(found: CheckResult, *, as_json: bool) -> None:
    mismatches = [msgspec.to_builtins(mismatch) for mismatch in found.mismatches]
    if as_json:
        say_json({"ok": found.ok, "checked": msgspec.to_builtins(found.checked), "mismatches": mismatches})
        return
    for mismatch in mismatches[:MISMATCHES_PRINTED]:
        say(", ".join(f"{name} {value}" for name, value in mismatch.items() if value is not None))
    if len(mismatches) > MISMATCHES_PRINTED:
        tell(f"... and {len(mismatches) - MISMATCHES_PRINTED} more; --json has them all.")
    say("Everything is as the ledger says." if found.ok else f"{len(mismatches)} mismatches.")
    tell(f"Checked: {_counted(msgspec.to_builtins(found.checked))}.")


def sweep_database() -> None:
    """Release expired holds, set expired lots aside, serve who waits: now, not within seconds as a server does."""
    config = load()
    with ready_database(config):
        pass
    with Holdfast.open(config.database_url) as shop:
        settled = shop.sweep()
    say(f"{settled} level{'' if settled == 1 else 's'} settled.")


def bench(context: typer.Context) -> None:
    """Measure how many holds a second this machine makes."""
    raise typer.Exit(_part("holdfast.bench").main(context.args) or 0)


def _part(name: str) -> Any:
    """A module that not every installation has."""
    if importlib.util.find_spec(name) is None:
        raise Misuse(f"This installation has no {name}.")
    return importlib.import_module(name)


def _counted(checked: Any) -> str:
    if isinstance(checked, dict):
        return ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in checked.items())
    return str(checked)
