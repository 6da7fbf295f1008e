"""The executor: group commit. Commands wait in a queue, one transaction takes all that wait, decides, commits, answers.

    while batch N commits, batch N+1 collects; under light load a batch is one command

One organisation a transaction; batches of different organisations run at once on a small pool of writers (one on
SQLite). The queue is bounded in length and age. A refusal is decided in memory and costs no write. Nobody hears yes
before the commit.

It refuses to know the business (`core.decide`) and SQL (`db`); what happens to a batch stands in `batch`.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from holdfast import metrics
from holdfast.batch import Batch
from holdfast.db.engine import Database
from holdfast.db.load import Catalogs
from holdfast.db.session import Session, open_session
from holdfast.submission import (
    Outcome,
    OutcomeUnknown,
    Overloaded,
    Reply,
    Submission,
    Unavailable,
    log_failure,
    resolve,
)

__all__ = ["Executor", "Outcome", "OutcomeUnknown", "Overloaded", "Reply", "Submission", "Unavailable"]

BATCH_MAX = 512
"""Most commands (a group counts its members) of one transaction."""

QUEUE_MAX = 20_000
"""Most commands that wait in one process before new ones are turned away."""

QUEUE_AGE_SECONDS = 10.0
"""A command that waited longer than this is turned away undone."""

WRITERS = 4
"""Transactions of different organisations that run at once on PostgreSQL."""


class Executor:
    """The queue and the writers of one process."""

    def __init__(
        self,
        database: Database,
        *,
        batch_max: int = BATCH_MAX,
        queue_max: int = QUEUE_MAX,
        queue_age_seconds: float = QUEUE_AGE_SECONDS,
    ) -> None:
        assert batch_max > 0 and queue_max > 0 and queue_age_seconds > 0, (batch_max, queue_max, queue_age_seconds)
        self._database = database
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._queue_age = queue_age_seconds
        self._lock = threading.Condition(threading.Lock())
        self._queues: dict[str, deque[Submission]] = {}
        self._ready: deque[str] = deque()
        self._waiting = 0
        self._idle = 0
        self._closing = False
        count = 1 if database.is_sqlite else WRITERS
        self._threads = [
            threading.Thread(target=self._work, name=f"holdfast-writer-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    # Taking commands -----------------------------------------------------------------------------------------------

    def submit(self, org_id: str, submission: Submission) -> None:
        """Queue a command; its future is resolved after the commit. Raises Overloaded when too much waits."""
        with self._lock:
            if self._closing or not self._threads[0].is_alive():
                raise Unavailable("shutting down" if self._closing else "the writer has died")
            if self._waiting >= self._queue_max:
                raise Overloaded
            self._waiting += submission.weight
            queue = self._queues.get(org_id)
            if queue is None:
                self._queues[org_id] = deque((submission,))
                self._ready.append(org_id)
                if self._idle:
                    self._lock.notify()
            else:
                queue.append(submission)

    def close(self) -> None:
        """Answer what was accepted, then stop."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        for thread in self._threads:
            thread.join()

    def _take(self) -> tuple[str, list[Submission]] | None:
        """The next organisation's batch, waiting for one; None when closing and nothing waits."""
        with self._lock:
            while not self._ready:
                if self._closing:
                    return None
                self._idle += 1
                self._lock.wait()
                self._idle -= 1
            org_id = self._ready.popleft()
            queue = self._queues[org_id]
            batch = []
            weight = 0
            while queue and weight < self._batch_max:
                submission = queue.popleft()
                weight += submission.weight
                batch.append(submission)
            self._waiting -= weight
            metrics.QUEUE_DEPTH.set(self._waiting)
        return org_id, batch

    def _done(self, org_id: str) -> None:
        """Put the organisation in line again when more of its commands wait."""
        with self._lock:
            if self._queues[org_id]:
                self._ready.append(org_id)
                if self._idle:
                    self._lock.notify()
            else:
                del self._queues[org_id]

    @property
    def healthy(self) -> bool:
        """Are all writers at work?"""
        return all(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        session = open_session(self._database)
        catalogs = Catalogs()
        while (taken := self._take()) is not None:
            org_id, batch = taken
            try:
                self._serve(session, catalogs, org_id, batch)
            except BaseException as error:  # noqa: BLE001 - a writer outlives whatever happens to a batch
                log_failure(batch[0], error)
                resolve([(submission, error) for submission in batch if not submission.future.done()])
            self._done(org_id)
        session.close()

    # One batch -----------------------------------------------------------------------------------------------------

    def _serve(self, session: Session, catalogs: Catalogs, org_id: str, batch: list[Submission]) -> None:
        """Answer every submission of the batch, whatever happens."""
        now = time.monotonic()
        metrics.QUEUE_AGE.set(now - batch[0].since)
        late = [submission for submission in batch if now - submission.since > self._queue_age]
        if late:
            resolve([(submission, Overloaded()) for submission in late])
            batch = [submission for submission in batch if now - submission.since <= self._queue_age]
        if batch:
            Batch(session, catalogs, org_id, batch).run()
