"""What the commands say, and how they end: results on standard output, everything else on standard error.

    raise Refusal("There is no organisation 'Acme'.")     -> one plain line, exit code 1
    raise Misuse("--workers needs PostgreSQL.")            -> one plain line, exit code 2
    raise NotLooked("The database is away.")               -> one plain line, exit code 2

With `--json` a command prints one JSON value and nothing else on standard output. Progress shows on a terminal only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import typer

from holdfast.app import Holdfast
from holdfast.core.records.rejection import Rejected
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate, state
from holdfast.db.organisations import OrganisationRow
from holdfast.organisation import organisation_of
from holdfast.settings import Config, load

PROGRAM = "holdfast"


class Refusal(Exception):
    """The command was understood and cannot be done: exit code 1."""


class NotLooked(Exception):
    """A command that looks could not look, so it has found nothing either way: exit code 2."""


class Misuse(Exception):
    """The command cannot be meant like this: exit code 2."""


def group_of_commands(about: str) -> typer.Typer:
    """Commands under one word, such as `org`; the word alone shows what there is (exit code 2: nothing was done)."""
    group = typer.Typer(help=about, invoke_without_command=True)
    group.callback()(show_help)
    return group


def show_help(context: typer.Context) -> None:
    """Show the help of a group of commands when none of them was named."""
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(2)


def say(line: str = "") -> None:
    """One line of the result."""
    print(line, flush=True)


def tell(line: str) -> None:
    """One line beside the result: what goes on, what to note."""
    print(line, file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """The result as JSON."""
    say(msgspec.json.format(msgspec.json.encode(value)).decode())


def say_fields(fields: dict[str, Any]) -> None:
    """A result of several named values, one a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        say(f"{name:<{width}}  {value}")


def show(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """A result of several named values; of a list the values side by side."""
    if as_json:
        say_json(fields)
    else:
        say_fields({name: " ".join(value) if isinstance(value, list) else value for name, value in fields.items()})


def forget_output() -> None:
    """Write what is still said to nowhere: whoever read it has seen enough, and Python must not complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def accepted(answer: Any) -> Any:
    """The answer of a command, or a Refusal with its words."""
    if isinstance(answer, Rejected):
        raise Refusal(answer.detail)
    return answer


@contextmanager
def ready_database(config: Config | None = None, *, begin: bool = False) -> Iterator[Database]:
    """The database of the settings, with its schema checked; `begin` sets an empty one up."""
    database = Database((config or load()).database_url)
    try:
        found = state(database)
        if found == "empty":
            if not begin:
                raise Refusal("The database is empty: begin with `holdfast org create` or `holdfast serve`.")
            migrate(database)
        elif found == "outdated":
            raise Refusal("The database is of an older Holdfast: back it up, then run `holdfast migrate`.")
        elif found == "newer":
            raise Refusal("The database was made by a newer Holdfast: use that one.")
        yield database
    finally:
        database.dispose()


@contextmanager
def open_shop(org: str) -> Iterator[tuple[Holdfast, OrganisationRow]]:
    """The shop of the settings, and the organisation with that id or name."""
    config = load()
    with ready_database(config) as database:
        organisation = organisation_of(database, org)
    with Holdfast.open(config.database_url, secret_key=config.secret_key) as shop:
        yield shop, organisation


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal's standard error; the function given is told how much is done, and of how much."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
