"""One batch: load, decide, save in one transaction, tried again and split until every submission has its outcome.

    Batch(session, catalogs, org_id, submissions).run()

The problem. Many commands wait for one organisation, and a commit costs the same for one command as for a hundred. But
one transaction has one fate: a command with a defect, a lock that another program holds, or a lost connection would
then be the fate of all its neighbours. And what a command needs is known only when it is decided.

A worked example. MAIN has 3 of MUG-1, and three commands wait.

    reserve 2 for order 101     -> 2 held
    reserve 2 for order 102     -> refused: 2 requested, 1 available
    reserve 1 for order 103     -> 1 held: the refusal of 102 cost its neighbours nothing

All three are one transaction: the level is locked and loaded once, the commands are decided in order in memory, one
commit follows, and then all callers hear their replies.

The design. `needs` guesses what the commands will look at, so that most batches are loaded in one step. A decision that
needs more raises `Missing`. Another level begins the transaction again with that level locked: a transaction begins at
most 12 times. Anything else is loaded where it stands, at most 60 times for one decision. A refusal is undone in
memory. A defect in one command is undone too and told to its caller alone. A batch that meets a conflict is tried 6
times, with pauses of 20 ms, 40 ms and so on; then the batch is split in two halves. One that fails by a defect is split
at once: so the command that cannot be done ends up alone, and the others are done. A batch that finds the database away
is tried 6 times too, as long as its commands may wait (a full disk: once); then all hear it. Commands behind a lock of
somebody else are parked (`patience`). A commit whose answer was lost is asked about under the batch's own id, for at
most 60 seconds, and is never done twice.

What was left out. Within a process batches of one organisation do not overlap (those of several processes wait for each
other's locks), and no command is put before another.
"""

from __future__ import annotations

import time

from holdfast import metrics
from holdfast.core.decide import needs
from holdfast.core.records.stock import LevelKey
from holdfast.core.records.wants import LevelAt
from holdfast.db.batch.load import (
    NoOrganisation,
    WriterCatalogs,
    is_written,
)
from holdfast.db.batch.session import BatchSession
from holdfast.db.failures import Away, Blocked, Conflict, Full, Lost
from holdfast.executor.patience import Patience
from holdfast.executor.submission import (
    Contended,
    OutcomeUnknown,
    Submission,
    Unavailable,
    log_failure,
    resolve,
)
from holdfast.executor.transaction import Transaction, new_id

TRIES_MAX = 6
"""How often a batch is tried while other transactions come first or the database is away."""

FIRST_PAUSE_SECONDS = 0.02
"""First pause before a batch is tried again; doubles each time."""

AWAY_PAUSE_SECONDS = 0.4
"""First pause before a try when the database is away; doubles each time."""

UNKNOWN_TRIES_MAX = 200
"""How often a batch whose commit lost its connection is tried at most."""

PAUSE_SECONDS_MAX = 5.0
"""Longest pause between two tries."""

UNKNOWN_SECONDS = 60.0
"""How long a batch whose commit lost its connection asks for its outcome before its callers hear that it is unknown."""


class Batch:
    """One batch on its way through load, decide, save; `run` answers all of it, but what it parks in its `patience`."""

    def __init__(
        self,
        session: BatchSession,
        catalogs: WriterCatalogs,
        org_id: str,
        submissions: list[Submission],
        patience: Patience | None = None,
    ) -> None:
        self.session = session
        self.catalogs = catalogs
        self.org_id = org_id
        self.submissions = submissions
        self.patience = Patience() if patience is None else patience
        self.batch_id = new_id()
        self.lost: Transaction | None = None
        """The transaction whose commit lost its connection: whether it was done is not known yet."""
        self._lost_at = 0.0

    def run(self) -> None:
        """Try, try again, split: until every submission has its outcome, or is parked."""
        reason = self._try_until_done()
        if self.lost is not None:
            reason = self._find_out()
        if reason is not None:
            self._split(reason)

    def _try_until_done(self) -> Exception | None:
        """Try until every submission has its outcome or is parked (None), or until a commit is lost; else why not."""
        reason: Exception | None = None
        for tries in range(TRIES_MAX):
            try:
                done = self._attempt()
            except Blocked:
                self.session.rollback()
                self._part_blocked()
                return None
            except Conflict as conflict:
                reason = self._give_up_try(conflict, "conflict", FIRST_PAUSE_SECONDS * 2**tries)
            except Away as away:
                reason = self._give_up_try(away, "away", _away_pause(tries))
                if isinstance(away, Full) or self.lost is not None:
                    return reason
            except NoOrganisation as error:
                resolve([(submission, error) for submission in self.submissions])
                return None
            except Exception as error:  # noqa: BLE001 - split, so that each command meets its own fate
                return self._failed(error)
            else:
                self._tell(done)
                return None
            if not self.submissions:
                return None
        return reason

    def _find_out(self) -> Exception | None:
        """After a lost commit: ask whether it was done, and try again where it was not (None); else why nobody knows.

        The submissions stay together, and none of them is told anything before.
        """
        reason: Exception | None = None
        for tries in range(1, UNKNOWN_TRIES_MAX):
            try:
                done = self._lost_if_written() or self._attempt()
            except Blocked as blocked:
                reason = self._give_up_try(blocked, "blocked", FIRST_PAUSE_SECONDS)
            except Conflict as conflict:
                reason = self._give_up_try(conflict, "conflict", FIRST_PAUSE_SECONDS * 2**tries)
            except Away as away:
                reason = self._give_up_try(away, "away", _away_pause(tries))
            except NoOrganisation as error:
                resolve([(submission, error) for submission in self.submissions])
                return None
            except Exception as error:  # noqa: BLE001 - nobody knows the outcome
                return self._failed(error)
            else:
                self._tell(done)
                return None
            if time.monotonic() - self._lost_at > UNKNOWN_SECONDS:
                return reason
        return reason

    def _tell(self, done: Transaction) -> None:
        """Tell what a transaction did, and do what it had no room for."""
        resolve(done.outcomes)
        if done.later:
            self._part(done.later)

    def _failed(self, error: Exception) -> Exception:
        """A defect: roll back, and forget what may be stale."""
        self.session.rollback()
        self.catalogs.forget(self.org_id)
        return error

    def _part(self, submissions: list[Submission]) -> None:
        """Some of the submissions as a batch of their own."""
        Batch(self.session, self.catalogs, self.org_id, submissions, self.patience).run()

    def _give_up_try(self, reason: Exception, kind: str, pause: float) -> Exception:
        """Roll back, forget what may be stale, and wait a little before the next try.

        Unless an outcome is open, whoever has waited as long as a command may is told so, and tries no more.
        """
        self.session.rollback()
        self.catalogs.forget(self.org_id)
        metrics.RETRIES.labels(kind).inc()
        if self.lost is None:
            late, self.submissions = self.patience.parted(self.submissions)
            resolve([(submission, _unavailable(reason)) for submission in late])
            pause = min(pause, self.patience.left(self.submissions))
        time.sleep(min(pause, PAUSE_SECONDS_MAX))
        return reason

    def _part_blocked(self) -> None:
        """Somebody else holds a lock: whoever needs it is parked, the others go on at once.

        Which levels are locked the database says; what else may be (a sale, a till, a record) is found by halving.
        """
        metrics.RETRIES.labels("blocked").inc()
        self.patience.notice()
        needed: dict[int, set[LevelKey]] = {id(one): set() for one in self.submissions}
        locked: set[LevelKey] = set()
        try:
            needed = {id(one): self._levels_needed(one) for one in self.submissions}  # it may read the catalogue
            locked = self.session.locked_elsewhere(self.org_id, sorted(set().union(*needed.values())))
        except (Conflict, Away):
            pass  # nobody says which levels are locked: it is found by halving
        finally:
            self.session.rollback()
        waiting = [one for one in self.submissions if needed[id(one)] & locked]
        others = [one for one in self.submissions if not needed[id(one)] & locked]
        if waiting or len(others) == 1 or self.patience.spent:
            self.patience.park(waiting or others)
            if waiting and others:
                self._part(others)
            return
        half = len(others) // 2
        for part in (others[:half], others[half:]):
            self._part(part)

    def _levels_needed(self, submission: Submission) -> set[LevelKey]:
        """The levels that a command will probably lock, as `needs` guesses them."""
        catalog = self.catalogs.of(self.session, self.org_id)
        wants = needs(catalog, submission.caller, submission.command)
        return {(want.product_id, want.location_id) for want in wants if type(want) is LevelAt}

    def _attempt(self) -> Transaction:
        """One more transaction for the batch, committed; it is kept when nobody knows whether it was."""
        transaction = Transaction(
            self.session, self.catalogs, self.org_id, self.batch_id, self.submissions, hurried=self.patience.hurried
        )
        try:
            transaction.run()
        except Lost:
            if self.lost is None:
                self._lost_at = time.monotonic()
            self.lost = transaction
            raise
        return transaction

    def _lost_if_written(self) -> Transaction | None:
        """After a connection was lost at the commit: that transaction, when the batch's row of events is there.

        When it is not there the batch is tried again under the same id: should the lost commit arrive late after all,
        only one of the two can insert that row.
        """
        if self.lost is None:
            return None
        return self.lost if is_written(self.session, self.org_id, self.batch_id) else None

    def _split(self, reason: Exception) -> None:
        """The batch as a whole cannot be done: halve it; a single one is told why."""
        if self.lost is not None:
            unknown = OutcomeUnknown("the outcome is unknown: repeat with the same Idempotency-Key")
            resolve([(submission, unknown) for submission in self.submissions])
        elif isinstance(reason, Away):
            resolve([(submission, _unavailable(reason)) for submission in self.submissions])
        elif len(self.submissions) == 1:
            log_failure(self.submissions[0], reason)
            resolve([(self.submissions[0], _unavailable(reason))])
        else:
            metrics.RETRIES.labels("split").inc()
            half = len(self.submissions) // 2
            for part in (self.submissions[:half], self.submissions[half:]):
                self._part(part)


def _away_pause(tries: int) -> float:
    """Seconds to wait before the next try when the database is away."""
    return AWAY_PAUSE_SECONDS * 2**tries if tries else FIRST_PAUSE_SECONDS


def _unavailable(reason: Exception) -> Exception:
    """What callers hear of a batch that could not be done; a bug is told as it is."""
    if isinstance(reason, Conflict):
        return Contended(str(reason))
    return Unavailable(str(reason)) if isinstance(reason, Away) else reason
