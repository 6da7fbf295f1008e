"""The command line: `holdfast serve`, `holdfast org create`, `holdfast check` ...; also `python -m holdfast`.

    holdfast org create "Arco Iris" --owner ana@arcoiris.example --json
    holdfast serve --port 9000

Every command reads the settings (`holdfast.settings`), works beside a running server and is seen by it at once. It ends
with 0, with 1 and one plain line when it is refused, or with 2 and one plain line when it cannot be meant like that.
`check` ends with 1 for mismatches only: where it could not look, it ends with 2.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from holdfast import __version__
from holdfast.app import Forbidden, Outdated
from holdfast.check.heads import HeadsRefused
from holdfast.cli import accounts, files, serving, upkeep
from holdfast.cli.logs import configure_command_logs
from holdfast.cli.terminal import PROGRAM, Misuse, NotLooked, Refusal, forget_output, say, show_help, tell
from holdfast.db.engine import UnknownDatabase
from holdfast.db.migrate import MigrationRefused
from holdfast.db.unreachable import DatabaseUnreachable, driver_words
from holdfast.executor import Overloaded, Unavailable
from holdfast.organisation import NotPossible
from holdfast.settings import WrongSettings

INTERRUPTED = 130
"""The exit code of a command that was stopped from the keyboard."""

app = typer.Typer(
    name=PROGRAM,
    help="Holdfast keeps the one true count of a shop's stock and holds units for those they are promised to.",
    epilog="Settings are environment variables HOLDFAST_*, or lines of a file .env.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
serving.add_to(app)
accounts.add_to(app)
files.add_to(app)
upkeep.add_to(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001, RUF100 - read by its callback
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Hold what is promised."""
    show_help(context)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    configure_command_logs()
    try:
        code = app(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except TyperException as error:
        return _fail(error.format_message().replace("Value error, ", ""), 2)  # pydantic's words, not ours
    except WrongSettings as error:
        for problem in error.problems:
            _fail(problem, 2)
        return 2
    except (Misuse, NotLooked, HeadsRefused, UnknownDatabase) as error:
        return _fail(str(error), 2)
    except (Refusal, NotPossible, Forbidden, Outdated, MigrationRefused, DatabaseUnreachable) as error:
        return _fail(str(error), 1)
    except (Overloaded, Unavailable) as error:
        return _fail(f"Nothing was done: {error}.", 1)
    except BrokenPipeError:
        forget_output()
        return 1
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: a fault is told in full, and in one line
        return _fail_unforeseen(error)


def _fail_unforeseen(error: Exception) -> int:
    """Tell of a failure that no command expects; exit code 1 when a driver or the system refused, 2 for a fault."""
    words = driver_words(error)
    if words is not None:
        return _fail(f"The database failed: {words}.", 1)
    if isinstance(error, OSError):
        return _fail(f"{error.filename or 'The system'}: {error.strerror or error}.", 1)
    traceback.print_exception(error)
    return _fail(f"This is a fault of Holdfast: {type(error).__name__}: {error}", 2)


def _fail(message: str, code: int) -> int:
    tell(f"{PROGRAM}: {' '.join(message.split())}")
    return code
