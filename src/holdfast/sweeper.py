"""The sweeper: does what time has made due for stock that nobody asks about (docs/how-to/operate.md#sweeping).

    sweep(database, executor)    -> levels settled: expired holds released, expired lots set aside, the waiting served
    serve_stuck(database, executor)    -> levels whose free units went to who waited elsewhere (a location now sells)

Every command settles the levels that it touches by itself; the sweeper submits a `Sweep` for the others, through the
same executor. It also forgets old answers to idempotency keys and old failures to sign in, keeps the planner's
statistics of young tables fresh, adds up the books of days that have ended and refreshes the slow metrics. Any number
of processes may sweep one database: the level locks keep them right.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import structlog

from holdfast import metrics
from holdfast.core.decide import Sweep
from holdfast.core.stock.caller import SYSTEM
from holdfast.db.attempts import forget_attempts
from holdfast.db.engine import Database
from holdfast.db.upkeep.day_ends import keep_day_ends
from holdfast.db.upkeep.totals import FORGET_MAX, beside_waiting, due, forget_answers, refresh_statistics, totals
from holdfast.executor import Executor, Reply, Submission

LEVELS_MAX = 1_000
"""Most levels that one look takes on."""

LEVELS_OF_COMMAND = 100
"""Levels of one Sweep command, so that it holds few locks at once."""

SWEEP_ROUNDS_MAX = 50
"""Looks of one sweep: what is due beyond that waits for the next."""

PIECES_MAX = 1_000
"""How often one Sweep command is given again, because one transaction releases only so many holds."""

SELDOM_SECONDS = 60.0
"""How often it is looked who waits beside free units and whether a day has ended, and the metrics' totals are read."""

log = structlog.get_logger("holdfast.sweeper")


def sweep(database: Database, executor: Executor) -> int:
    """Settle everything that is due; how many levels that were. Raises what the executor raises (Unavailable ...)."""
    settled = 0
    for _ in range(SWEEP_ROUNDS_MAX):
        found = due(database, time.time_ns() // 1000, LEVELS_MAX)
        if not found:
            break
        settled += _swept(executor, found)
    return settled


def serve_stuck(database: Database, executor: Executor) -> int:
    """Offer free units to who waits for them at another location; how many levels had some. Raises as `sweep` does."""
    return _swept(executor, beside_waiting(database, time.time_ns() // 1000, LEVELS_MAX))


def _swept(executor: Executor, found: list[tuple[str, list[tuple[str, str]]]]) -> int:
    failure: Exception | None = None
    for org_id, pairs in found:
        try:
            for start in range(0, len(pairs), LEVELS_OF_COMMAND):
                _settle(executor, org_id, pairs[start : start + LEVELS_OF_COMMAND])
        except Exception as error:  # noqa: BLE001 - one organisation's trouble is raised when the others had their turn
            log.warning("levels_not_settled", org_id=org_id, error=str(error))
            failure = failure or error
    if failure is not None:
        raise failure
    return sum(len(pairs) for _, pairs in found)


def _settle(executor: Executor, org_id: str, pairs: list[tuple[str, str]]) -> None:
    """Settle these levels piece by piece: other commands of the organisation pass between two pieces."""
    for _ in range(PIECES_MAX):
        reply = _submit(executor, org_id, pairs).result()
        if not reply.answer:
            return


def _submit(executor: Executor, org_id: str, pairs: list[tuple[str, str]]) -> Future[Reply]:
    future: Future[Reply] = Future()
    command = Sweep(tuple(pairs))
    submission = Submission(
        SYSTEM, command, key=None, fingerprint="", render=None, status=200, loop=None, future=future
    )
    executor.submit(org_id, submission)
    return future


class Sweeper:
    """A thread that sweeps every `seconds` until it is stopped."""

    def __init__(self, database: Database, executor: Executor, *, seconds: float, idempotency_hours: float) -> None:
        self._database = database
        self._executor = executor
        self._seconds = seconds
        self._keep = int(idempotency_hours * 3600 * 1_000_000)
        self._stop = threading.Event()
        self._last = 0.0
        self._thread = threading.Thread(target=self._run, name="holdfast-sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the sweep that is under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                settled = sweep(self._database, self._executor)
                if settled:
                    log.info("swept", levels=settled)
                while forget_answers(self._database, time.time_ns() // 1000 - self._keep) == FORGET_MAX:
                    pass
                while forget_attempts(self._database, time.time_ns() // 1000) == FORGET_MAX:
                    pass
                refresh_statistics(self._database)
                self._seldom()
            except Exception as error:  # noqa: BLE001 - the database may be away: the next sweep tries again
                log.warning("sweep_failed", error=str(error))

    def _seldom(self) -> None:
        if time.monotonic() - self._last < SELDOM_SECONDS:
            return
        self._last = time.monotonic()
        serve_stuck(self._database, self._executor)
        keep_day_ends(self._database, time.time_ns() // 1000)
        active, backordered, expired = totals(self._database, time.time_ns() // 1000)
        metrics.ACTIVE_HOLDS.set(active)
        metrics.BACKORDERED_UNITS.set(backordered)
        metrics.EXPIRED_HOLDS.set(expired)
