"""Imports: that a file is to be imported, and that an import is to be taken back.

    StartImport("stock", file=digest, lines=312, dry_run=True)    -> an import that waits
    TakeBackImport(import_id)                                     -> it is taken back, row by row

Here it is only written down; who does it is `holdfast.import_export.jobs`, with the rights of who asked. An
organisation has few of them under way at a time. Only what an import has really done can be taken back.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from holdfast.core.organisation.changes import lock_organisation, note
from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Text
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused, invalid_state, not_found
from holdfast.core.records.wants import ImportsIn
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

ImportKind = Literal["products", "stock", "orders"]
ImportState = Literal["waiting", "running", "done", "refused", "interrupted", "taking_back", "taken_back"]

UNDER_WAY: Final = ("waiting", "running", "taking_back")
"""States of imports on which work is to be done."""

UNDER_WAY_MAX = 5
"""Most imports of an organisation that wait or are worked on."""

LINES_MAX = 100_000
"""Most rows of a file."""

COLUMNS_MAX = 2_000
"""Most characters of the names of a file's columns."""

StockMode = Literal["opening", "set", "count"]
Condition = Literal["good", "damaged", "none"]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class ImportChoices(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """What may be chosen: `mode` and `again` of a file of stock, all others of a file of orders."""

    mode: StockMode = "opening"
    again: bool = False
    format: Text | None = None
    columns: Annotated[str, Meta(max_length=COLUMNS_MAX)] | None = None
    store: Text | None = None
    restock: Condition = "good"
    custom_lines: bool = False
    post_on_order_date: bool = False


class ImportJob(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An uploaded file and what is to be done with it; times in microseconds since 1970.

    `file` is the SHA-256 of its text, `lines` how many rows it has. `choices` are those of its kind. The actor is who
    uploaded it, limited to `stores` (empty: all).
    """

    id: str
    kind: ImportKind
    dry_run: bool
    name: str | None
    choices: ImportChoices
    file: str
    lines: int
    state: ImportState
    actor: str
    actor_id: str
    stores: tuple[str, ...]
    created_at: int
    updated_at: int


class StartImport(Command, frozen=True, gc=False):
    """Import a file that is kept; with `dry_run` only say what that would do."""

    kind: ImportKind
    file: Digest
    lines: Annotated[int, Meta(ge=0, le=LINES_MAX)]
    name: Text | None = None
    dry_run: bool = False
    choices: ImportChoices = ImportChoices()


class TakeBackImport(Command, frozen=True, gc=False):
    """Take back what an import has done, where nothing has moved since."""

    import_id: str


def start_import(stock: Stock, command: StartImport) -> ImportJob:
    """Decide a StartImport."""
    if not stock.caller.id:
        raise Refused(Code.FORBIDDEN, "An import is of a user or of a key.")
    _refuse_one_too_many(stock)
    job = ImportJob(
        id=stock.new_id(),
        kind=command.kind,
        dry_run=command.dry_run,
        name=command.name,
        choices=command.choices,
        file=command.file,
        lines=command.lines,
        state="waiting",
        actor=stock.caller.actor,
        actor_id=stock.caller.id,
        stores=tuple(sorted(stock.caller.stores or ())),
        created_at=stock.now,
        updated_at=stock.now,
    )
    stock.put_record("import_job", job.id, job)
    if not job.dry_run:
        note(stock, "add", "import", job.id, {"kind": job.kind, "name": job.name, "lines": job.lines})
    return job


def take_back_import(stock: Stock, command: TakeBackImport) -> ImportJob:
    """Decide a TakeBackImport. Whoever is limited to stores takes back what was limited to some of them."""
    job: ImportJob | None = stock.record("import_job", command.import_id)
    stores = stock.caller.stores
    if job is None or (stores is not None and not (job.stores and stores.issuperset(job.stores))):
        raise not_found(Code.NOT_FOUND, "Import", command.import_id)
    if not stock.caller.id:
        raise Refused(Code.FORBIDDEN, "An import is taken back by a user or by a key.")
    if job.dry_run:
        raise invalid_state("A dry run has done nothing that could be taken back.")
    if job.state not in ("done", "interrupted", "taken_back"):
        raise invalid_state(f"The import is {job.state.replace('_', ' ')}.", status=job.state)
    _refuse_one_too_many(stock)
    job = replace(
        job,
        state="taking_back",
        actor=stock.caller.actor,
        actor_id=stock.caller.id,
        stores=tuple(sorted(stores or ())),
        updated_at=stock.now,
    )
    stock.put_record("import_job", job.id, job)
    note(stock, "change", "import", job.id, {"state": job.state})
    return job


def _refuse_one_too_many(stock: Stock) -> None:
    lock_organisation(stock)
    stock.require(*(ImportsIn(state) for state in UNDER_WAY))
    known = {name for state in UNDER_WAY for name in stock.unread(stock.require(ImportsIn(state)), "import_job")}
    known.update(job.id for job in stock.records_of("import_job") if job.state in UNDER_WAY)
    if len(known) >= UNDER_WAY_MAX:
        raise invalid_state(f"{len(known)} imports of the organisation are under way: wait until one is done.")


DECISIONS = (
    Decision(StartImport, start_import, Permission.MANAGE),
    Decision(TakeBackImport, take_back_import, Permission.MANAGE),
)
