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
needs more raises `Missing`. Another level begins the transaction again with that level locked, at most 12 times;
anything else is loaded where it stands, at most 60 times for one decision. A refusal is undone in memory. A defect in
one command is undone too and told to its caller alone. A batch in conflict with another program is tried again after a
pause of 20 ms, doubled each time, at most 6 times, then halved. One that fails by a defect is halved at once: so the
command that cannot be done ends up alone, and the others are done. When the database is away all hear it. Commands
behind a lock of somebody else are parked (`patience`). A commit whose answer was lost is asked about under the batch's
own id, for at most 60 seconds, and is never done twice.

What was left out. Batches of one organisation do not overlap, and no command is put before another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import uuid_utils

from holdfast import metrics
from holdfast.core.answer import decode_answer, encode_answer
from holdfast.core.decide import changes_catalog, decide, needs
from holdfast.core.organisation.changes import KINDS
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.rejection import Code, Rejected
from holdfast.core.records.stock import LevelKey
from holdfast.core.records.wants import DeadAt, LevelAt, Missing, ProductNamed, Want
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.settling import settle
from holdfast.db.batch.load import (
    NoOrganisation,
    WriterCatalogs,
    answers_of,
    begin,
    is_written,
    load_more,
    load_products,
)
from holdfast.db.batch.loaders import AT_BEGINNING
from holdfast.db.batch.save import KeptAnswer, SentAhead, early_writes, writes_of
from holdfast.db.batch.session import BatchSession, SeenRecords
from holdfast.db.failures import Away, Blocked, Conflict, Full, Lost
from holdfast.executor.patience import Patience
from holdfast.executor.submission import (
    Contended,
    Outcome,
    OutcomeUnknown,
    Reply,
    StillReleasing,
    Submission,
    Unavailable,
    log_failure,
    resolve,
)

BEGINNINGS_MAX = 12
"""How often one transaction may begin again with more levels locked: a decision has fewer kinds of question."""

CATALOG_CHANGES_MAX = 12
"""How often one transaction may begin again because another process changed the catalog meanwhile."""

QUESTIONS_MAX = 60
"""How often one decision may ask for more. It asks for all of a kind at once: more questions than this are a defect."""

ENTRIES_MAX = 5_000
"""Ledger entries after which a transaction takes no further command: what is left of the batch goes into the next."""

DEAD_QUESTIONS_MAX = 4
"""How often one command may ask for more expired holds of a level (2,000 each time) before it has to come again."""

SEND_ENTRIES = 64
"""Ledger entries that are sent ahead while the rest of the batch is still being decided."""

TRIES_MAX = 6
"""How often a batch is tried again when another transaction came first or the database was away."""

FIRST_PAUSE_SECONDS = 0.02
"""First pause before a batch is tried again; doubles each time."""

AWAY_PAUSE_SECONDS = 0.4
"""First pause before a try when the database is away; doubles each time."""

UNSETTLED_TRIES_MAX = 200
"""How often a batch whose commit lost its connection is tried at most."""

PAUSE_SECONDS_MAX = 5.0
"""Longest pause between two tries."""

UNSETTLED_SECONDS = 60.0
"""How long a batch whose commit lost its connection asks for its outcome before its callers hear that it is unknown."""


class TooManyRounds(Exception):
    """A command asked for more again and again: a defect of ours. Nothing was done, and trying again would not help."""


class _Restart(Exception):
    """Begin the transaction again with more wanted, or with a fresh catalog."""

    def __init__(self, wants: set[Want]) -> None:
        super().__init__(wants)
        self.wants = wants


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
        self.batch_id = _new_id()
        self.later: list[Submission] = []
        """What this transaction had no room for."""
        self.outcome_unknown: list[tuple[Submission, Outcome]] | None = None
        self._sent = SentAhead()
        self._asked_more = False
        self._lost_at = 0.0

    def run(self) -> None:
        """Try, try again, split: until every submission has its outcome, or is parked."""
        reason: Exception | None = None
        tries = 0
        while tries < (TRIES_MAX if self.outcome_unknown is None else UNSETTLED_TRIES_MAX):
            try:
                outcomes = self._settled() or self._attempt()
            except Blocked as blocked:
                reason = blocked
                if self.outcome_unknown is None:
                    self.session.rollback()
                    self._part_blocked()
                    return
                self._give_up_try(blocked, "blocked", FIRST_PAUSE_SECONDS)
            except Conflict as conflict:
                reason = self._give_up_try(conflict, "conflict", FIRST_PAUSE_SECONDS * 2**tries)
            except Away as away:
                reason = self._give_up_try(
                    away, "away", AWAY_PAUSE_SECONDS * 2**tries if tries else FIRST_PAUSE_SECONDS
                )
                if isinstance(away, Full) and self.outcome_unknown is None:
                    break
                if self.outcome_unknown is not None and time.monotonic() - self._lost_at > UNSETTLED_SECONDS:
                    break
            except NoOrganisation as error:
                resolve([(submission, error) for submission in self.submissions])
                return
            except Exception as error:  # noqa: BLE001 - split below, so that each command meets its own fate
                self.session.rollback()
                self.catalogs.forget(self.org_id)
                reason = error
                break
            else:
                resolve(outcomes)
                if self.later:
                    self._part(self.later)
                return
            if not self.submissions:
                return
            tries += 1
        assert reason is not None
        self._split(reason)

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
        if self.outcome_unknown is None:
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
        needed = {id(one): self._levels_needed(one) for one in self.submissions}
        pairs = sorted(set().union(*needed.values()))
        try:
            locked = self.session.locked_elsewhere(self.org_id, pairs)
        except (Conflict, Away):
            locked = set()
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

    def _settled(self) -> list[tuple[Submission, Outcome]] | None:
        """After a connection was lost at the commit: the outcomes, when the batch's row of events is there.

        When it is not there the batch is tried again under the same id: should the lost commit arrive late after all,
        only one of the two can insert that row.
        """
        if self.outcome_unknown is None:
            return None
        return self.outcome_unknown if self._is_written() else None

    def _is_written(self) -> bool:
        """Is the batch's row of events there? (A SQLite file has no late commits: what is not there never comes.)"""
        return is_written(self.session, self.org_id, self.batch_id)

    def _split(self, reason: Exception) -> None:
        """The batch as a whole cannot be done: halve it; a single one is told why."""
        if self.outcome_unknown is not None:
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

    def _attempt(self) -> list[tuple[Submission, Outcome]]:
        """Load, decide, save: one transaction, begun again while it turns out to need more."""
        wants: set[Want] = set()
        rounds = changes = 0
        while rounds < BEGINNINGS_MAX:
            self._sent = SentAhead()
            self._asked_more = False
            catalog = self.catalogs.of(self.session, self.org_id)
            wants |= self._first_wants(catalog)
            try:
                stock, answered = self._load(catalog, wants)
                outcomes, answers = self._decide(stock, answered, last=rounds == BEGINNINGS_MAX - 1)
                if self._save(stock, answers, outcomes):
                    metrics.ROUNDS.observe(rounds + 1)
                    return outcomes
                changes += 1
            except _Restart as restart:
                self.session.rollback()
                if restart.wants:
                    rounds += 1
                else:
                    changes += 1
                wants |= restart.wants
            if changes > CATALOG_CHANGES_MAX:
                raise Conflict("the catalog changed faster than the batch could be decided")
        raise TooManyRounds(f"{rounds} rounds of questions")

    # Load

    def _first_wants(self, catalog: Catalog) -> set[Want]:
        """What the commands probably need; products that nobody looked up yet are looked up on the way."""
        while True:
            wants: set[Want] = set()
            for submission in self.submissions:
                wants |= needs(catalog, submission.caller, submission.command)
            unknown = {want.reference for want in wants if type(want) is ProductNamed}
            if not unknown:
                return wants
            load_products(self.session, catalog, self.org_id, unknown)

    def _load(self, catalog: Catalog, wants: set[Want]) -> tuple[Stock, dict[str, KeptAnswer]]:
        keys = [submission.key for submission in self.submissions if submission.key is not None]
        if any(changes_catalog(submission.command) for submission in self.submissions):
            catalog = catalog.copy()
        stock, loaded = begin(self.session, self.org_id, catalog, wants, keys, _new_id, hurried=self.patience.hurried)
        if loaded.version != catalog.settings.catalog_version:
            self.catalogs.forget(self.org_id)
            raise _Restart(set())
        answered = {row[0]: KeptAnswer(row[0], row[1], row[2], row[3], 0) for row in loaded.answered}
        self._asking(stock, lambda: settle(stock))
        return stock, answered

    def _asking(self, stock: Stock, step: Callable[[], Any]) -> Any:
        """Do a step of the core, loading what it asks for; levels need the transaction to begin again."""
        dead = 0
        for _ in range(QUESTIONS_MAX):
            mark = stock.mark()
            try:
                return step()
            except Missing as missing:
                stock.undo(mark)
                self._asked_more = True
                levels = {want for want in missing.wants if type(want) in AT_BEGINNING}
                if levels:
                    raise _Restart(levels) from None
                load_more(self.session, stock, missing.wants)
                if stock.unsettled:
                    self._asking(stock, lambda: settle(stock))
                dead += any(type(want) is DeadAt for want in missing.wants)
                if dead > DEAD_QUESTIONS_MAX:
                    raise StillReleasing from None
        raise TooManyRounds(f"{QUESTIONS_MAX} questions")

    # Decide

    def _decide(
        self, stock: Stock, answered: dict[str, KeptAnswer], *, last: bool
    ) -> tuple[list[tuple[Submission, Outcome]], list[KeptAnswer]]:
        """The outcome of every command that this transaction has room for, and the answers to keep.

        In the `last` round a command that still asks for more hears that it cannot be decided; its neighbours go on.
        """
        outcomes: list[tuple[Submission, Outcome]] = []
        answers: list[KeptAnswer] = []
        wants: set[Want] = set()
        self.later = []
        for index, submission in enumerate(self.submissions):
            if len(stock.entries) >= ENTRIES_MAX and index:
                self.later = self.submissions[index:]
                break
            first = None if submission.key is None else answered.get(submission.key)
            if first is not None:
                outcomes.append((submission, _repeat(submission, first)))
                continue
            try:
                reply = self._decide_one(stock, submission)
            except _Restart as restart:  # the others may need more as well: ask for all of it at once
                if not last:
                    wants |= restart.wants
                    continue
                reply = TooManyRounds(f"{BEGINNINGS_MAX} rounds of questions")
                log_failure(submission, reply)
            outcomes.append((submission, reply))
            if isinstance(reply, BaseException):
                continue
            if submission.key is not None and not isinstance(reply.answer, Rejected):
                body = reply.body if reply.body is not None else encode_answer(reply.answer)
                kept = KeptAnswer(submission.key, submission.fingerprint, submission.status, body.decode(), stock.now)
                answered[submission.key] = kept
                answers.append(kept)
            if len(stock.entries) - self._sent.entries >= SEND_ENTRIES and not wants and not stock.fresh:
                self.session.send(early_writes(stock, self.session.dialect, self._sent))
        if wants:
            raise _Restart(wants)
        return self._answered_meanwhile(outcomes), answers

    def _answered_meanwhile(self, outcomes: list[tuple[Submission, Outcome]]) -> list[tuple[Submission, Outcome]]:
        """Before a refusal is told to a command with a key, the key is read once more.

        The keys were read together with the locks. A command that locks nothing may have been answered by another
        process after that, and what it asked for later then shows its own first doing ("exists already").
        """
        if not self._asked_more or self.session.dialect == "sqlite":
            return outcomes
        keys = [one.key for one, reply in outcomes if one.key is not None and _is_refusal(reply)]
        if not keys:
            return outcomes
        first = {
            row[0]: KeptAnswer(row[0], row[1], row[2], row[3], 0) for row in answers_of(self.session, self.org_id, keys)
        }
        return [
            (one, _repeat(one, first[one.key]) if one.key in first and _is_refusal(reply) else reply)
            for one, reply in outcomes
        ]

    def _decide_one(self, stock: Stock, submission: Submission) -> Outcome:
        """The reply to one command; a bug in deciding it is undone and told to its caller, and costs nobody else."""

        def step() -> Reply:
            mark = stock.mark()
            try:
                answer = decide(stock, submission.caller, submission.command)
                if type(answer) is Rejected:
                    return Reply(answer, 0, None)
                body = None if submission.render is None else submission.render(answer)
            except BaseException:
                stock.undo(mark)
                raise
            return Reply(answer, submission.status, body)

        try:
            reply: Reply = self._asking(stock, step)
        except (_Restart, Conflict, Away):
            raise
        except StillReleasing as still:
            return still
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this command's alone
            log_failure(submission, error)
            return error
        return reply

    # Save

    def _save(self, stock: Stock, answers: list[KeptAnswer], outcomes: list[tuple[Submission, Outcome]]) -> bool:
        """Write and commit what was decided; False when the catalog changed under a product's first entry."""
        writes = writes_of(stock, self.session.dialect, self.batch_id, answers, self._sent)
        if not writes:
            self.session.rollback()
            return True
        started = time.monotonic()
        try:
            saved = self.session.finish(writes, unchanged=_seen_of_new_levels(stock))
        except Lost as lost:
            if self.session.dialect == "sqlite":
                saved = self._is_written()
                if not saved:
                    raise Full(str(lost)) from lost
            else:
                if self.outcome_unknown is None:
                    self._lost_at = time.monotonic()
                self.outcome_unknown = outcomes
                raise
        self.outcome_unknown = None
        metrics.COMMIT_SECONDS.observe(time.monotonic() - started)
        metrics.BATCH_SIZE.observe(len(self.submissions))
        if any(kind in KINDS for kind, _ in stock.records) or not saved:
            self.catalogs.forget(self.org_id)
        return saved


def _seen_of_new_levels(stock: Stock) -> SeenRecords | None:
    """What the batch relied on for the levels that it begins, apart from records that it wrote itself."""
    new = [level for level in stock.levels.values() if level.id in stock.fresh]
    if not new:
        return None
    written = {key for _, key in stock.records}
    products = {level.product_id: stock.product_of(level).updated_at for level in new}
    places = {level.location_id: stock.catalog.locations[level.location_id].updated_at for level in new}
    return SeenRecords(
        stock.org_id,
        {key: at for key, at in products.items() if key not in written},
        {key: at for key, at in places.items() if key not in written},
    )


def _unavailable(reason: Exception) -> Exception:
    """What callers hear of a batch that could not be done; a bug is told as it is."""
    if isinstance(reason, Conflict):
        return Contended(str(reason))
    return Unavailable(str(reason)) if isinstance(reason, Away) else reason


def _is_refusal(outcome: Outcome) -> bool:
    return isinstance(outcome, Reply) and type(outcome.answer) is Rejected


def _repeat(submission: Submission, first: KeptAnswer) -> Reply:
    """The answer to a key that was answered before: rendered as it was, else decoded."""
    if first.fingerprint != submission.fingerprint:
        return Reply(
            Rejected(Code.IDEMPOTENCY_KEY_REUSED, "The Idempotency-Key was used for another request."), 0, None
        )
    answer = decode_answer(first.body.encode())
    body = first.body.encode() if answer is None else msgspec.json.encode(answer)
    return Reply(answer, first.status, body, replayed=True)


def _new_id() -> str:
    return str(uuid_utils.uuid7())
