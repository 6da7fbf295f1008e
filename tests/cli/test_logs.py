"""A log that cannot be written fails nothing."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from holdfast.cli.logs import configure_command_logs, configure_logs
from holdfast.settings import Config


@pytest.fixture(autouse=True)
def _settings_of_the_logs() -> Iterator[None]:
    root, server = logging.getLogger(), logging.getLogger("uvicorn")
    before, handlers, levels = structlog.get_config(), list(root.handlers), (root.level, server.level)
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    server.setLevel(levels[1])


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_output_that_was_closed_fails_nothing(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = io.StringIO()
    monkeypatch.setattr(sys, "stderr", gone)
    configure_logs(Config(log_format=log_format))
    structlog.get_logger("test").warning("heard")
    heard = gone.getvalue()
    gone.close()

    structlog.get_logger("test").error("unheard", exception="trace")

    assert "heard" in heard


def test_an_output_that_was_replaced_is_the_one_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_command_logs()
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)

    structlog.get_logger("test").error("something")

    assert "something" in later.getvalue()
