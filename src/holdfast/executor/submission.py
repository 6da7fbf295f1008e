"""A command on its way: who asks, under which key, and whom to tell; and the ways in which nothing could be done.

    Submission(caller, command, key="k1", ..., loop=None, future=future)     ->  resolve([(submission, reply)])

`resolve` is the only place that touches callers' futures; nothing in it may raise into a writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from typing import Any, Literal

import msgspec
import structlog

from holdfast import metrics
from holdfast.core.records.command import Command, CommandGroup
from holdfast.core.records.rejection import Rejected
from holdfast.core.stock.caller import Caller

log = structlog.get_logger("holdfast.executor")


class Overloaded(Exception):
    """Too much waits already: nothing was done; come back in `retry_after` seconds."""

    words = "Too much is waiting to be done."

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__("too many commands are waiting")
        self.retry_after = retry_after


class Unavailable(Exception):
    """Nothing was done; come back in `retry_after` seconds. `words` say why to a person, `reason` to an operator."""

    words = "The database is away."

    def __init__(self, reason: str, retry_after: int = 2) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class LockedElsewhere(Unavailable):
    """Another program has held a lock on what the command needs for longer than a command may wait."""

    words = "Another program holds a lock in the database on what this needs. Nothing was done."


class Contended(Unavailable):
    """Other transactions came first again and again."""

    words = "Other changes to the same things came first again and again. Nothing was done."


class StillReleasing(Unavailable):
    """So many expired holds stand before a command that they are released in several transactions."""

    words = "Many expired holds of this stock are being released. Nothing else was done."

    def __init__(self) -> None:
        super().__init__("expired holds are being released", 1)


class OutcomeUnknown(Unavailable):
    """The commit lost its connection and nobody could tell in time whether it went through."""

    words = "The connection broke: the outcome is unknown: repeat with the same Idempotency-Key."


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The outcome of a command. `answer` is a document or a Rejected (None when only `body` was kept for its key).

    `body` is the answer as JSON bytes, if it was rendered; `status` is the HTTP status, 0 for a Rejected.
    """

    answer: Any
    status: int
    body: bytes | None
    replayed: bool = False


class Submission:
    """One command on its way: who asks, what, under which key, and whom to tell."""

    __slots__ = (
        "blocked",
        "body",
        "caller",
        "command",
        "fingerprint",
        "future",
        "key",
        "loop",
        "render",
        "since",
        "status",
        "weight",
    )

    def __init__(
        self,
        caller: Caller,
        command: Command,
        *,
        key: str | None,
        fingerprint: str,
        render: Callable[[Any], bytes] | None,
        status: int,
        loop: asyncio.AbstractEventLoop | None,
        future: Any,
    ) -> None:
        self.caller = caller
        self.command = command
        self.key = key
        self.fingerprint = fingerprint
        self.render = render
        self.status = status
        self.loop = loop
        self.future = future
        self.since = time.monotonic()
        self.blocked = False
        """Does it wait for a lock that another program holds?"""
        self.weight = len(command.commands) if isinstance(command, CommandGroup) else 1


Outcome = Reply | BaseException


def log_failure(submission: Submission, error: BaseException) -> None:
    """Log a defect with its plain traceback: a writer has no time for a pretty one."""
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(OSError, ValueError):  # an output that was closed must not stop a writer
        log.error("command_failed", kind=type(submission.command).__name__, error=repr(error), traceback=text)


def resolve(outcomes: list[tuple[Submission, Outcome]]) -> None:
    """Tell every caller its outcome: one hop into each event loop, however many futures; nothing here may raise."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Submission, Outcome]]] = {}
    for submission, outcome in outcomes:
        if submission.loop is None:
            _resolve_one(submission, outcome)
        else:
            by_loop.setdefault(submission.loop, []).append((submission, outcome))
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve_all, theirs)
        except RuntimeError:
            log.warning("caller_gone", commands=len(theirs))
    _count(outcomes)


def _resolve_all(outcomes: list[tuple[Submission, Outcome]]) -> None:
    for submission, outcome in outcomes:
        _resolve_one(submission, outcome)


def _resolve_one(submission: Submission, outcome: Outcome) -> None:
    future = submission.future
    if future.done():
        return
    with contextlib.suppress(InvalidStateError):  # the caller went away between the line above and here
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _count(outcomes: list[tuple[Submission, Outcome]]) -> None:
    """Count commands by kind and outcome: accepted, rejected, replayed or failed."""
    counts: dict[tuple[str, str], int] = {}
    for submission, outcome in outcomes:
        key = (type(submission.command).__name__, _name_of(outcome))
        counts[key] = counts.get(key, 0) + 1
    for (kind, name), number in counts.items():
        metrics.COMMANDS.labels(kind, name).inc(number)


def _name_of(outcome: Outcome) -> Literal["failed", "replayed", "rejected", "accepted"]:
    if isinstance(outcome, BaseException):
        return "failed"
    if outcome.replayed:
        return "replayed"
    return "rejected" if type(outcome.answer) is Rejected else "accepted"
