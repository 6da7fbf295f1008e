"""The command line inside the test process, on a database of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from holdfast.cli import run
from tests.shop import SECRET_KEY


class Ran(NamedTuple):
    """What a command did: its exit code, its result, and what it said beside it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result as JSON."""
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def cli(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command on an empty database, once on each kind; `input` is its standard input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_SECRET_KEY", SECRET_KEY)

    def command(*arguments: object, input: str | None = None) -> Ran:
        if input is not None:
            monkeypatch.setattr("sys.stdin", io.StringIO(input))
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return command


@pytest.fixture
def acme(cli: Cli) -> dict[str, str]:
    """An organisation called Acme, as `org create --json` tells it."""
    made = cli("org", "create", "Acme", "--owner", "ana@acme.example", "--json")
    assert made.code == 0, made.err
    fields: dict[str, str] = made.json
    return fields
