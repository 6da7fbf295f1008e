"""`holdfast import products|stock FILE` and `holdfast export stock|ledger`.

Every bad line of an import is named with its number on standard error; the exit code is 1 when there was any. Exports
go to standard output while they are read, whatever their size.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from holdfast.cli.accounts import AsJson, Org
from holdfast.cli.terminal import Misuse, Refusal, open_shop, progress, ready_database, say, say_json, tell
from holdfast.organisation import command_line, organisation_of
from holdfast.transfer_files import (
    LEDGER_EXPORT,
    STOCK_EXPORT,
    FileRefused,
    Outcome,
    export_ledger,
    export_stock,
    import_products,
    import_stock,
    write_csv,
    write_json,
)

NAMED_ON_TERMINAL = 1000
"""Most bad lines, and notes, that are printed."""

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A CSV file in UTF-8 whose first line names columns.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to write it.")]

import_commands = typer.Typer(help="Take products and stock from CSV files.", no_args_is_help=True)
export_commands = typer.Typer(help="Write stock and ledger to standard output.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(import_commands, name="import")
    app.add_typer(export_commands, name="export")


@import_commands.command("products")
def import_products_file(file: FileArgument, org: Org, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add products, and change those that exist: sku,title,kind,price,... or Shopify's product export."""
    with _opened(file) as opened, open_shop(org) as (shop, organisation), progress("lines") as show:
        actor = command_line(organisation.id)
        outcome = import_products(shop, actor, organisation, opened, dry_run=dry_run, progress=_counting(show))
    _report(outcome, "products", dry_run=dry_run, as_json=as_json)


@import_commands.command("stock")
def import_stock_file(
    file: FileArgument,
    org: Org,
    dry_run: DryRun = False,
    again: Annotated[bool, typer.Option("--again", help="Take lines that were taken before once more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Receive opening stock: sku,location,quantity[,unit_cost,lot_code,expires_at]."""
    with _opened(file) as opened, open_shop(org) as (shop, organisation), progress("lines") as show:
        actor = command_line(organisation.id)
        outcome = import_stock(
            shop, actor, opened, reference=file.name[:200], dry_run=dry_run, again=again, progress=_counting(show)
        )
    _report(outcome, "lines of stock", dry_run=dry_run, as_json=as_json)


@export_commands.command("stock")
def export_stock_rows(org: Org, form: FormatOption = Format.CSV) -> None:
    """Every product at every location."""
    with ready_database() as database:
        rows = export_stock(database, organisation_of(database, org))
        write_csv(rows, STOCK_EXPORT, sys.stdout) if form is Format.CSV else write_json(rows, sys.stdout)


@export_commands.command("ledger")
def export_ledger_rows(org: Org, form: FormatOption = Format.CSV) -> None:
    """Every entry of the ledger, oldest first."""
    with ready_database() as database:
        rows = export_ledger(database, organisation_of(database, org))
        write_csv(rows, LEDGER_EXPORT, sys.stdout) if form is Format.CSV else write_json(rows, sys.stdout)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except FileRefused as error:
        raise Refusal(f"{path}: {error}") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if error.filename is None or Path(error.filename) != path:
            raise
        raise Misuse(f"{path}: {error.strerror}.") from error


def _counting(show: Callable[[int, int | None], None]) -> Callable[[int], None]:
    """Add up what a file's parts tell; how many lines it has is not known before its end."""
    done = 0

    def advance(lines: int) -> None:
        nonlocal done
        done += lines
        show(done, None)

    return advance


def _report(outcome: Outcome, what: str, *, dry_run: bool, as_json: bool) -> None:
    """Say what became of the lines; exit 1 when any was refused."""
    for line, words in outcome.notes[:NAMED_ON_TERMINAL]:
        tell(f"line {line}: note: {words}")
    for line, words in sorted(outcome.bad)[:NAMED_ON_TERMINAL]:
        tell(f"line {line}: {words}")
    if outcome.refused > NAMED_ON_TERMINAL:
        tell(f"... and {outcome.refused - NAMED_ON_TERMINAL} more.")
    if as_json:
        say_json(
            {
                "added": outcome.added,
                "changed": outcome.changed,
                "skipped": outcome.skipped,
                "refused": outcome.refused,
                "dry_run": dry_run,
                "lines": [{"line": line, "detail": words} for line, words in sorted(outcome.bad)],
            }
        )
    else:
        skipped = "unchanged" if what == "products" else "skipped"
        counts = (outcome.added, "added"), (outcome.changed, "changed"), (outcome.skipped, skipped)
        told = [f"{count} {word}" for count, word in counts if count] or ["nothing to do"]
        say(f"{'Would be: ' if dry_run else ''}{what}: {', '.join(told)}, {outcome.refused} refused.")
    if outcome.skipped and what != "products":
        tell("Skipped lines were taken before, and lately; --again takes them once more.")
    if outcome.refused:
        raise typer.Exit(1)
