"""Measuring: how often a command's transaction began, what it asked of the database, how much Python it ran.

    workbench = Workbench(shop)
    cost = workbench.measure(Reserve("MUG-1", 2))      -> Cost(rounds=1, statements=5, ...)

A batch of one command runs in the calling thread, so nothing here depends on time: rounds and statements are counted at
the session, work is counted in executed lines of Python.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from holdfast.db.batch.load import WriterCatalogs
from holdfast.db.batch.session import open_batch_session
from holdfast.executor.batch import Batch
from holdfast.executor.submission import Reply, Submission
from tests.executor.test_batches import Told
from tests.shop import Shop


class Cost(NamedTuple):
    """What a command cost."""

    rounds: int
    statements: int
    lines: int
    outcome: Any

    @property
    def answer(self) -> Any:
        """What the core answered; an exception is none."""
        assert isinstance(self.outcome, Reply), self.outcome
        return self.outcome.answer


class CountingSession:
    """A session that counts: each transaction that begins, and each statement but those of the beginning itself."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.rounds = 0
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def begin(self, *arguments: Any, **options: Any) -> Any:
        self.rounds += 1
        return self._session.begin(*arguments, **options)

    def fetch(self, *arguments: Any, **options: Any) -> Any:
        self.statements += 1
        return self._session.fetch(*arguments, **options)

    def fetch_all(self, queries: Any) -> Any:
        self.statements += len(queries)
        return self._session.fetch_all(queries)

    def send(self, writes: Any) -> Any:
        self.statements += len(writes)
        return self._session.send(writes)

    def finish(self, writes: Any, **options: Any) -> Any:
        self.statements += len(writes)
        return self._session.finish(writes, **options)


class Workbench:
    """A writer of its own for a shop, cold: it knows nothing of the catalog until the command asks."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def measure(self, command: Any, *, actor: Any = None, counting_lines: bool = False) -> Cost:
        """Give one command as a batch of its own; what it cost."""
        counted = CountingSession(open_batch_session(self.shop.holdfast.database))
        told = Told()
        caller = (actor or self.shop.owner).caller
        submission = Submission(
            caller, command, key=None, fingerprint="", render=None, status=201, loop=None, future=told
        )
        batch = Batch(counted, WriterCatalogs(), self.shop.org_id, [submission])  # type: ignore[arg-type] # it is like one
        if counting_lines:
            with counting() as lines:
                batch.run()
        else:
            lines = [0]
            batch.run()
        counted.close()
        return Cost(counted.rounds, counted.statements, lines[0], told.outcome)


@contextmanager
def counting() -> Any:
    """Count the lines of Holdfast's own Python that run inside the block; the answer is a list of one number."""
    count = [0]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "call" and "holdfast" not in frame.f_code.co_filename:
            return None
        if event == "line":
            count[0] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)
