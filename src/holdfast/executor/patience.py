"""Patience: how long commands wait, and which of them wait for a lock that somebody else holds.

    a forgotten session locks the level of MUG-1
    -> commands on MUG-1 are parked, tried again every quarter of a second, and told so when their time is over
    -> all others go on at once

The executor keeps one Patience for each organisation. It knows nothing of the database.
"""

from __future__ import annotations

import time

from holdfast.executor.submission import Submission

PARKED_SECONDS = 0.25
"""How long parked commands wait before they are tried again."""

HURRIED_SECONDS = 5.0
"""How long after a lock was met transactions wait for locks only shortly: it is probably still there."""

PARTING_SECONDS = 1.0
"""How long a blocked batch is parted to find who is blocked; then all that is left of it is parked."""

QUEUE_AGE_SECONDS = 10.0
"""A command that waited longer than this is turned away undone."""


class Patience:
    """What the executor knows of the waiting in one organisation."""

    def __init__(self, queue_age_seconds: float = QUEUE_AGE_SECONDS) -> None:
        self.parked: list[Submission] = []
        """Commands that are blocked: whoever runs the batches takes them, and gives them again later."""
        self.queue_age = queue_age_seconds
        self._noticed = float("-inf")
        self._began = float("-inf")

    def begin(self) -> None:
        """A batch is taken from the queue."""
        self._began = time.monotonic()

    def park(self, submissions: list[Submission]) -> None:
        """These wait for a lock."""
        for submission in submissions:
            submission.blocked = True
        self.parked.extend(submissions)

    def notice(self) -> None:
        """A lock was met."""
        now = time.monotonic()
        if not self.hurried:
            self._began = now
        self._noticed = now

    @property
    def hurried(self) -> bool:
        """Was a lock met lately?"""
        return time.monotonic() - self._noticed < HURRIED_SECONDS

    @property
    def spent(self) -> bool:
        """Was enough time spent to find who is blocked?"""
        return time.monotonic() - self._began > PARTING_SECONDS

    def is_late(self, submission: Submission, now: float) -> bool:
        """Has the command waited as long as one may?"""
        return now - submission.since > self.queue_age

    def parted(self, submissions: list[Submission]) -> tuple[list[Submission], list[Submission]]:
        """Those that have waited as long as a command may, and the others."""
        now = time.monotonic()
        late = [one for one in submissions if self.is_late(one, now)]
        return late, [one for one in submissions if not self.is_late(one, now)]

    def left(self, submissions: list[Submission]) -> float:
        """Seconds until the first of the commands has waited as long as one may."""
        oldest = min((one.since for one in submissions), default=time.monotonic())
        return max(0.0, oldest + self.queue_age - time.monotonic())
