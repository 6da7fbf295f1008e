"""Writers: group commit. Commands wait in a queue; one transaction takes up to 512 of them, decides, commits, answers.

    while batch N commits, batch N+1 collects; under light load a batch is one command

One organisation a transaction; batches of different organisations run at once on a small pool of writers (one on
SQLite). The queue is bounded in length and age: no command waits in it for longer than `queue_age_seconds`, whoever
holds a lock. (In a batch it may be longer: a commit whose answer was lost is asked about for 60 seconds.)
A refusal is decided in memory and costs no write. Nobody hears yes before the commit.

It refuses to know the business (`core.decide`) and SQL (`db`); what happens to a batch is in `batch`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any

from holdfast import metrics
from holdfast.db.batch.load import WriterCatalogs
from holdfast.db.batch.session import BatchSession, open_batch_session
from holdfast.db.engine import Database
from holdfast.executor.batch import Batch
from holdfast.executor.patience import PARKED_SECONDS, QUEUE_AGE_SECONDS, Patience
from holdfast.executor.submission import (
    LockedElsewhere,
    Overloaded,
    Submission,
    Unavailable,
    log_failure,
    resolve,
)

BATCH_COMMANDS_MAX = 512
"""Commands, a group counting as its members, at which a transaction takes no further one."""

QUEUE_MAX = 20_000
"""Most commands of one organisation that wait in a process before new ones are turned away."""

QUEUES_FULL = 2
"""So many full queues wait in a process at most: one organisation alone never takes the room of the others."""

CALLER_PART = 2
"""The groups of one caller take at most this part (one in so many) of a queue; single commands wait one by one."""

LOOK_SECONDS = 0.25
"""How often it is looked whether a command has waited too long, or is to be tried again."""

WRITERS = 4
"""Transactions of different organisations that run at once on PostgreSQL."""


class Executor:
    """The queue and the writers of one process."""

    def __init__(
        self,
        database: Database,
        *,
        batch_max: int = BATCH_COMMANDS_MAX,
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
        self._weights: Counter[Any] = Counter()
        """What waits by organisation; the groups among it also by (organisation, caller)."""
        self._idle = 0
        self._closing = False
        self._patience: dict[str, Patience] = {}
        self._parked: dict[str, tuple[float, list[Submission]]] = {}
        """By organisation: when to try again, and what is blocked by a lock that somebody else holds."""
        self._stopped = threading.Event()
        count = 1 if database.is_sqlite else WRITERS
        self._threads = [
            threading.Thread(target=self._work, name=f"holdfast-writer-{number}", daemon=True)
            for number in range(count)
        ]
        self._timekeeper = threading.Thread(target=self._keep_time, name="holdfast-timekeeper", daemon=True)
        for thread in (*self._threads, self._timekeeper):
            thread.start()

    # Taking commands -----------------------------------------------------------------------------------------------

    def submit(self, org_id: str, submission: Submission, *, always: bool = False) -> None:
        """Queue a command; its future is resolved after the commit.

        Raises Overloaded when too much waits, of all, of the organisation or of the caller, unless it is `always` taken
        (lines of the security log, which others bound); Unavailable while it closes, or when the writer has died.
        """
        with self._lock:
            if self._closing or not self._threads[0].is_alive():
                raise Unavailable("shutting down" if self._closing else "the writer has died")
            if not always and self._is_full(org_id, submission):
                raise Overloaded
            self._weigh(org_id, [submission], 1)
            queue = self._queues.get(org_id)
            if queue is None:
                self._queues[org_id] = deque((submission,))
                self._ready.append(org_id)
                if self._idle:
                    self._lock.notify()
            else:
                queue.append(submission)

    def _is_full(self, org_id: str, submission: Submission) -> bool:
        """Does too much wait for this one to be taken? Who has no id, as the command line, has no part."""
        if self._weights[org_id] >= self._queue_max or self._waiting >= self._queue_max * QUEUES_FULL:
            return True
        if submission.weight == 1 or not submission.caller.id:
            return False
        return self._weights[org_id, submission.caller.id] >= self._queue_max // CALLER_PART

    def _weigh(self, org_id: str, submissions: list[Submission], sign: int) -> None:
        """Submissions wait (1), or wait no more (-1)."""
        weight = 0
        for submission in submissions:
            weight += submission.weight
            if submission.weight > 1:
                self._add_weight((org_id, submission.caller.id), sign * submission.weight)
        self._waiting += sign * weight
        metrics.QUEUE_DEPTH.set(self._waiting)
        self._add_weight(org_id, sign * weight)

    def _add_weight(self, name: Any, weight: int) -> None:
        now = self._weights[name] + weight
        if now:
            self._weights[name] = now
        else:
            self._weights.pop(name, None)

    def close(self) -> None:
        """Answer what was accepted, then stop."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        for thread in self._threads:
            thread.join()
        self._stopped.set()
        self._timekeeper.join()

    def _take(self) -> tuple[str, list[Submission]] | None:
        """The next organisation's batch, waiting for one; None when closing and nothing waits."""
        with self._lock:
            while True:
                while not self._ready:
                    if self._closing and not self._parked:
                        return None
                    self._idle += 1
                    self._lock.wait()
                    self._idle -= 1
                org_id = self._ready.popleft()
                batch = self._of_queue(self._queues[org_id])
                self._weigh(org_id, batch, -1)
                if batch:
                    return org_id, batch
                del self._queues[org_id]  # all of them were turned away

    def _of_queue(self, queue: deque[Submission]) -> list[Submission]:
        """As many commands as one transaction takes."""
        batch = []
        weight = 0
        while queue and weight < self._batch_max:
            submission = queue.popleft()
            weight += submission.weight
            batch.append(submission)
        return batch

    def _done(self, org_id: str) -> None:
        """Put the organisation in line again when more of its commands wait, and aside what is blocked."""
        with self._lock:
            patience = self._patience.setdefault(org_id, Patience(self._queue_age))
            if patience.parked:
                self._weigh(org_id, patience.parked, 1)
                at, before = self._parked.get(org_id, (time.monotonic() + PARKED_SECONDS, []))
                self._parked[org_id] = (at, before + patience.parked)
                patience.parked = []
            elif not patience.hurried:
                del self._patience[org_id]
            if self._queues[org_id]:
                self._ready.append(org_id)
                if self._idle:
                    self._lock.notify()
            else:
                del self._queues[org_id]

    def _work(self) -> None:
        session = open_batch_session(self._database)
        catalogs = WriterCatalogs()
        while (taken := self._take()) is not None:
            org_id, batch = taken
            try:
                self._run_batch(session, catalogs, org_id, batch)
            except BaseException as error:  # noqa: BLE001 - a writer outlives whatever happens to a batch
                log_failure(batch[0], error)
                resolve([(submission, error) for submission in batch if not submission.future.done()])
            self._done(org_id)
        session.close()

    # Time ----------------------------------------------------------------------------------------------------------

    def _keep_time(self) -> None:
        """Turn away who has waited too long, also while every writer is busy; try again what was blocked."""
        while not self._stopped.wait(LOOK_SECONDS):
            now = time.monotonic()
            with self._lock:
                late = self._late(now)
                for org_id in [org_id for org_id, (at, _) in self._parked.items() if at <= now]:
                    self._try_again(org_id)
                if late or self._closing:
                    self._lock.notify_all()
            _turn_away(late)

    def _late(self, now: float) -> list[Submission]:
        """Those who have waited too long, taken from the queues and from what is parked."""
        late: list[Submission] = []
        for org_id, queue in self._queues.items():
            blocked = self._is_blocked(org_id)
            over = []
            while queue and now - queue[0].since > self._queue_age:
                queue[0].blocked |= blocked
                over.append(queue.popleft())
            self._weigh(org_id, over, -1)
            late.extend(over)
        for org_id, (at, parked) in list(self._parked.items()):
            over = [submission for submission in parked if now - submission.since > self._queue_age]
            self._weigh(org_id, over, -1)
            late.extend(over)
            left = [submission for submission in parked if now - submission.since <= self._queue_age]
            if left:
                self._parked[org_id] = (at, left)
            else:
                del self._parked[org_id]
        return late

    def _is_blocked(self, org_id: str) -> bool:
        """Does the organisation's queue stand behind a lock that was met lately? A SQLite file is locked for all."""
        if self._database.is_sqlite:
            return any(patience.hurried for patience in self._patience.values())
        patience = self._patience.get(org_id)
        return patience is not None and patience.hurried

    def _try_again(self, org_id: str) -> None:
        """What is parked goes to the front of its queue."""
        _, parked = self._parked.pop(org_id)
        queue = self._queues.get(org_id)
        if queue is None:
            self._queues[org_id] = deque(parked)
            self._ready.append(org_id)
            self._lock.notify()
        else:
            queue.extendleft(reversed(parked))

    # One batch -----------------------------------------------------------------------------------------------------

    def _run_batch(self, session: BatchSession, catalogs: WriterCatalogs, org_id: str, batch: list[Submission]) -> None:
        """Answer every submission of the batch, whatever happens, or leave it in what is parked."""
        metrics.QUEUE_AGE.set(time.monotonic() - batch[0].since)
        with self._lock:
            patience = self._patience.setdefault(org_id, Patience(self._queue_age))
        patience.begin()
        late, batch = patience.parted(batch)
        for submission in late:
            submission.blocked |= patience.hurried
        _turn_away(late)
        if batch:
            Batch(session, catalogs, org_id, batch, patience).run()


def _turn_away(late: list[Submission]) -> None:
    """Tell those who waited too long why: too much waits, or somebody holds a lock."""
    if late:
        held = "another program holds a lock"
        resolve([(one, LockedElsewhere(held) if one.blocked else Overloaded()) for one in late])
