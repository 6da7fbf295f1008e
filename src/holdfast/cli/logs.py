"""Logs of a server process: one line an event, on standard error, as key and value for people or as JSON for machines.

Events of Holdfast itself come from structlog, those of the HTTP server from `logging`; both look the same. A log that
cannot be written (the reader of the pipe went away, the disk is full) never fails the work that it tells of.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, TextIO, cast

import structlog

from holdfast.settings import Config


class StandardError:
    """Standard error as it is at the moment of writing; what it refuses is dropped."""

    def write(self, text: str) -> int:
        """Write what can be written; returns the length of the text."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, where there is still somebody to take it."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


def configure_logs(config: Config) -> None:
    """Set up the logs of a server process as the settings say."""
    level = getattr(logging, config.log_level.upper())
    as_json = config.log_format == "json" or (config.log_format == "auto" and not sys.stderr.isatty())
    last: list[Any]
    if as_json:
        last = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    _configure(level, last, cache=True)
    handler = logging.StreamHandler(cast(TextIO, StandardError()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)
    # The server tells of every start and stop in several lines; what matters of it is an event of ours.
    logging.getLogger("uvicorn").setLevel(max(level, logging.WARNING))


def configure_command_logs() -> None:
    """Set up the logs of a command: only what went wrong, and never among its results."""
    _configure(logging.WARNING, [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())], cache=False)


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _configure(level: int, last: list[Any], *, cache: bool) -> None:
    structlog.configure(
        processors=[*_SHARED, structlog.processors.StackInfoRenderer(), *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, StandardError())),
        cache_logger_on_first_use=cache,
    )
