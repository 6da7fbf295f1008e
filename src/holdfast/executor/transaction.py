"""One transaction of a batch: load what its commands need, decide them, save what they did.

    transaction = Transaction(session, catalogs, org_id, batch_id, submissions, hurried=False)
    transaction.run()
    transaction.outcomes, transaction.later      -> what callers hear, what there was no room for

It answers every command once or raises: `Conflict`, `Blocked`, `Away` and `Lost` are for the batch (`batch`), which
tries again. A command that needs more begins the transaction again; a refusal or a defect costs its neighbours nothing.
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
from holdfast.core.records.wants import ExpiredHoldsAt, Missing, ProductNamed, Want
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.settling import settle
from holdfast.db.batch.load import (
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
from holdfast.db.failures import Away, Conflict, Full, Lost
from holdfast.executor.submission import (
    Outcome,
    Reply,
    StillReleasing,
    Submission,
    log_failure,
)

BEGINNINGS_MAX = 12
"""How often one transaction may begin, each time with more levels locked: a decision has fewer kinds of question."""

CATALOG_CHANGES_MAX = 12
"""How often one transaction may begin again because another process changed the catalog meanwhile."""

QUESTIONS_MAX = 60
"""How often one decision may ask for more. It asks for all of a kind at once: more questions than this are a defect."""

ENTRIES_MAX = 5_000
"""Ledger entries after which a transaction takes no further command: what is left of the batch goes into the next."""

EXPIRED_QUESTIONS_MAX = 4
"""How often one command may ask for more expired holds of a level (2,000 each time) before it has to come again."""

SEND_ENTRIES = 64
"""Ledger entries that are sent ahead while the rest of the batch is still being decided."""


class TooManyRounds(Exception):
    """A command asked for more again and again: a defect of ours. Nothing was done, and trying again would not help."""


class _Restart(Exception):
    """Begin the transaction again with more wanted, or with a fresh catalog."""

    def __init__(self, wants: set[Want]) -> None:
        super().__init__(wants)
        self.wants = wants


class Transaction:
    """One transaction of a batch; `hurried` ones wait for no lock."""

    def __init__(
        self,
        session: BatchSession,
        catalogs: WriterCatalogs,
        org_id: str,
        batch_id: str,
        submissions: list[Submission],
        *,
        hurried: bool,
    ) -> None:
        self.session = session
        self.catalogs = catalogs
        self.org_id = org_id
        self.batch_id = batch_id
        self.submissions = submissions
        self.outcomes: list[tuple[Submission, Outcome]] = []
        self.later: list[Submission] = []
        """What this transaction had no room for."""
        self._hurried = hurried
        self._sent = SentAhead()
        self._asked_more = False

    def run(self) -> None:
        """Load, decide, save, begun again while it turns out to need more; then `outcomes` has what callers hear."""
        wants: set[Want] = set()
        rounds = changes = 0
        while rounds < BEGINNINGS_MAX:
            self._sent = SentAhead()
            self._asked_more = False
            catalog = self.catalogs.of(self.session, self.org_id)
            wants |= self._first_wants(catalog)
            try:
                stock, answered = self._load(catalog, wants)
                answers = self._decide(stock, answered, last=rounds == BEGINNINGS_MAX - 1)
                if self._save(stock, answers):
                    metrics.ROUNDS.observe(rounds + 1)
                    return
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
        stock, loaded = begin(self.session, self.org_id, catalog, wants, keys, new_id, hurried=self._hurried)
        if loaded.version != catalog.settings.catalog_version:
            self.catalogs.forget(self.org_id)
            raise _Restart(set())
        answered = {row[0]: KeptAnswer(row[0], row[1], row[2], row[3], 0) for row in loaded.answered}
        self._asking(stock, lambda: settle(stock))
        return stock, answered

    def _asking(self, stock: Stock, step: Callable[[], Any]) -> Any:
        """Do a step of the core, loading what it asks for; levels need the transaction to begin again."""
        expired = 0
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
                expired += any(type(want) is ExpiredHoldsAt for want in missing.wants)
                if expired > EXPIRED_QUESTIONS_MAX:
                    raise StillReleasing from None
        raise TooManyRounds(f"{QUESTIONS_MAX} questions")

    def _decide(self, stock: Stock, answered: dict[str, KeptAnswer], *, last: bool) -> list[KeptAnswer]:
        """Decide every command that this transaction has room for; the answers to keep.

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
            # A new level is inserted at the end, and its entries refer to it.
            if len(stock.entries) - self._sent.entries >= SEND_ENTRIES and not wants and not stock.fresh:
                self.session.send(early_writes(stock, self.session.dialect, self._sent))
        if wants:
            raise _Restart(wants)
        self.outcomes = self._answered_meanwhile(outcomes)
        return answers

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

    def _save(self, stock: Stock, answers: list[KeptAnswer]) -> bool:
        """Write and commit what was decided; False when the catalog changed under a product's first entry."""
        writes = writes_of(stock, self.session.dialect, self.batch_id, answers, self._sent)
        if not writes:
            self.session.rollback()
            return True
        started = time.monotonic()
        try:
            saved = self.session.finish(writes, unchanged=_seen_of_new_levels(stock))
        except Lost as lost:
            if self.session.dialect != "sqlite":
                raise
            saved = is_written(self.session, self.org_id, self.batch_id)
            if not saved:  # a SQLite file has no late commits: what is not there never comes
                raise Full(str(lost)) from lost
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


def new_id() -> str:
    """A UUIDv7 text: ids made later sort later."""
    return str(uuid_utils.uuid7())
