"""Imports as jobs: a thread of a server takes them up, one of an organisation at a time, and does what they say.

    worker = ImportWorker(shop)          takes up what is due, every second
    worker.stop()                        gives back what it has, between two pieces
    work_once(shop)                      -> what is due now, one after another; True when there was something

A job is worked on under a lease (`holdfast.db.imports`): when its process dies, any process goes on with it as soon as
the lease has ended. It acts as who uploaded the file, with the rights that they have meanwhile: when those are gone or
less, the job stops and says so. A file that kills its process more than INTERRUPTIONS_MAX times is given up.
"""

from __future__ import annotations

import io
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import msgspec
import structlog
import uuid_utils

from holdfast.access import Actor, Permission, Role
from holdfast.app import Forbidden, Holdfast
from holdfast.core.organisation.imports import ImportChoices
from holdfast.core.records.learned_type import learned
from holdfast.db import imports as kept
from holdfast.db.credentials import acting, is_away
from holdfast.db.imports import LEASE_SECONDS, Job
from holdfast.db.organisations import clock, organisations
from holdfast.executor import Overloaded, Unavailable
from holdfast.import_export.job_rows import JobRows, LeaseLost
from holdfast.import_export.order_formats import OrderFormat
from holdfast.import_export.orders import Choices, import_orders
from holdfast.import_export.products import import_products
from holdfast.import_export.stock import StockMode, import_stock
from holdfast.import_export.table import FileRefused
from holdfast.import_export.take_back import take_back

LOOK_SECONDS = 1.0
"""How often it is looked whether an import is due."""

RENEW_SECONDS = LEASE_SECONDS / 3
"""How often the lease is renewed."""

RIGHTS_SECONDS = 1.0
"""How often it is looked, at most, what who uploaded the file may do."""

PAUSE_SECONDS = 5.0
"""How long a process leaves imports alone when the database was away, or too much waited."""

INTERRUPTIONS_MAX = 3
"""So often a job may lose its process and go on; the next time it is given up."""

STOP_SECONDS = 20.0
"""How long a server that stops waits for a piece to end; then the lease ends by itself."""

THREADS = 2
"""Imports, of different organisations, that a process works on at once."""

TEXT_BYTES_MAX = 16 * 1024 * 1024
"""Most bytes of a file's text that are read again: more than 4 MiB of UTF-16 can come to in UTF-8."""

log = structlog.get_logger("holdfast.imports")


class Interrupted(Exception):
    """The work ends here for good; the words say why."""


class Stopping(Exception):
    """The process stops: another one goes on."""


# Files ---------------------------------------------------------------------------------------------------------------


def packed(text: str) -> tuple[str, bytes]:
    """A file's text as it is kept: its SHA-256, and its compressed bytes."""
    raw = text.encode()
    return sha256(raw).hexdigest(), zlib.compress(raw, 6)


def unpacked(content: bytes) -> str:
    """The text of a file that is kept."""
    return zlib.decompressobj().decompress(content, TEXT_BYTES_MAX).decode()


# One job -------------------------------------------------------------------------------------------------------------


def actor_of(shop: Holdfast, job: Job) -> Actor:
    """Who uploaded the file, with the rights that they have now; Interrupted where those are not enough."""
    found = acting(shop.database, job.org_id, job.actor_id, clock(shop.database))
    if found is None:
        raise Interrupted(f"{job.actor} is no active user or key any more.")
    if found.stores and not (job.stores and set(found.stores).issuperset(job.stores)):
        raise Interrupted(f"{job.actor} may not act any more in all stores of this import.")
    permissions = None
    if found.permissions is not None:
        permissions = frozenset(one for one in Permission if one in found.permissions)
    role, bounded = Role(found.role), found.addresses is not None or found.expires_at is not None
    actor = Actor(job.org_id, found.name, role, job.stores, id=found.id, permissions=permissions, bounded=bounded)
    if not actor.has(Permission.MANAGE):
        raise Interrupted(actor.lacks(Permission.MANAGE))
    return actor


class _Watch:
    """Asks between two pieces whether the work may go on."""

    def __init__(self, shop: Holdfast, job: Job, stopping: threading.Event) -> None:
        self.actor = actor_of(shop, job)
        self.lost = threading.Event()
        self._shop = shop
        self._job = job
        self._stopping = stopping
        self._asked = time.monotonic()

    def ask(self) -> None:
        """Raise what ends the work: LeaseLost, Stopping, Interrupted."""
        if self.lost.is_set():
            raise LeaseLost
        if self._stopping.is_set():
            raise Stopping
        if time.monotonic() - self._asked >= RIGHTS_SECONDS:
            self._asked = time.monotonic()
            if not actor_of(self._shop, self._job).rights.covers(self.actor.rights):
                raise Interrupted(f"{self._job.actor} may do less than before.")


@contextmanager
def _renewing(shop: Holdfast, job: Job, lost: threading.Event) -> Iterator[None]:
    """Keep the lease while the work lasts; a database that does not answer keeps it as long as it would last."""
    done = threading.Event()

    def renew() -> None:
        until = time.monotonic() + LEASE_SECONDS
        while not done.wait(RENEW_SECONDS):
            try:
                if not kept.renew(shop.database, job):
                    lost.set()
                    return
                until = time.monotonic() + LEASE_SECONDS
            except Exception as error:  # noqa: BLE001 - the database may be away: the next try renews it
                log.warning("lease_not_renewed", import_id=job.id, error=str(error))
                if time.monotonic() > until:
                    lost.set()
                    return

    thread = threading.Thread(target=renew, name="holdfast-import-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def work_on(shop: Holdfast, job: Job, stopping: threading.Event) -> None:
    """Do what the job says, and write how it ended. Raises what the database and the executor raise."""
    back = job.state == "taking_back"
    try:
        if job.interruptions > INTERRUPTIONS_MAX:
            raise Interrupted(f"The server that worked on it was stopped {job.interruptions} times: it was given up.")
        watch = _Watch(shop, job, stopping)
        with _renewing(shop, job, watch.lost):
            if back:
                take_back(shop, watch.actor, job, watch.ask)
            else:
                _import(shop, job, watch.actor, watch.ask)
        kept.let_go(shop.database, job, "taken_back" if back else "done")
    except FileRefused as refused:
        kept.let_go(shop.database, job, "refused", str(refused))
    except (Interrupted, Forbidden) as reason:
        kept.let_go(shop.database, job, "interrupted", str(reason))
    except Stopping:
        kept.let_go(shop.database, job)
    except LeaseLost:
        log.warning("import_lost", import_id=job.id)


def _import(shop: Holdfast, job: Job, actor: Actor, ask: Callable[[], None]) -> None:
    content = kept.file_of(shop.database, job.org_id, job.file)
    organisation = next((row for row in organisations(shop.database, job.org_id) if row.id == job.org_id), None)
    if content is None or organisation is None:
        raise Interrupted("The file is not kept any more.")
    file = io.StringIO(unpacked(content), newline="")
    rows = JobRows(shop.database, job, ask)
    rows.begin()
    choices = msgspec.convert(job.choices, learned(ImportChoices))
    heard: dict[str, Any] = {"dry_run": job.dry_run, "progress": rows.progress, "rows": rows}
    try:
        if job.kind == "products":
            import_products(shop, actor, organisation, file, **heard)
        elif job.kind == "stock":
            mode = StockMode(choices.mode)
            import_stock(shop, actor, file, mode=mode, reference=job.name, again=choices.again, **heard)
        else:
            import_orders(shop, actor, organisation, file, _chosen(choices), **heard)
    finally:
        rows.finish()


def _chosen(choices: ImportChoices) -> Choices:
    if choices.format is not None and choices.format not in set(OrderFormat):
        raise FileRefused(f"There is no format {choices.format!r}.")
    return Choices(
        form=None if choices.format is None else OrderFormat(choices.format),
        columns=choices.columns,
        store=choices.store,
        restock=choices.restock,
        custom_lines=choices.custom_lines,
        post_on_order_date=choices.post_on_order_date,
    )


# The worker ----------------------------------------------------------------------------------------------------------


def work_once(shop: Holdfast, stopping: threading.Event | None = None) -> bool:
    """Work on what is due and nobody has; was there something? One that fails is raised when the others had theirs."""
    stopping = stopping or threading.Event()
    any_done, failure = False, None
    for org_id, import_id in kept.due(shop.database):
        if stopping.is_set():
            break
        job = kept.claim(shop.database, org_id, import_id, str(uuid_utils.uuid7()))
        if job is None:
            continue
        any_done = True
        try:
            _work_on_claimed(shop, job, stopping)
        except Exception as error:  # noqa: BLE001 - one organisation's trouble is raised when the others had their turn
            failure = failure or error
    if failure is not None:
        raise failure
    return any_done


def _work_on_claimed(shop: Holdfast, job: Job, stopping: threading.Event) -> None:
    try:
        work_on(shop, job, stopping)
    except (Overloaded, Unavailable):
        kept.let_go(shop.database, job)
        raise
    except Exception as error:
        if not is_away(error):
            words = "Something went wrong on our side. What was done until then is in the rows."
            kept.let_go(shop.database, job, "interrupted", words)
        raise
    kept.prune(shop.database, job.org_id)


class ImportWorker:
    """Threads that work on imports until they are stopped."""

    def __init__(self, shop: Holdfast, *, seconds: float = LOOK_SECONDS) -> None:
        self._shop = shop
        self._seconds = seconds
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"holdfast-import-{number}", daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the piece that is under way; what is left another process does, or this one when it is back."""
        self._stopping.set()
        until = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))

    def _run(self) -> None:
        pause = self._seconds
        while not self._stopping.wait(pause):
            pause = self._seconds
            try:
                work_once(self._shop, self._stopping)
            except Exception as error:
                log.warning("import_failed", error=str(error), exc_info=not is_away(error))
                pause = PAUSE_SECONDS
