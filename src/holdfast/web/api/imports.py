"""Imports over HTTP: a CSV file of products, stock or orders, as `holdfast import` takes it, and what came of it.

    POST /api/v1/imports?kind=stock&dry_run=true   (text/csv)   -> 202, an import that waits
    GET  /api/v1/imports/{id}                                   -> how far it is
    GET  /api/v1/imports/{id}/rows?state=refused                -> which rows were refused, and why
    POST /api/v1/imports/{id}/take-back                         -> 202, taken back row by row

The file is the body, as it is: in UTF-8, or in UTF-16 with its mark. It is read here as far as to count its rows; the
work is done beside the requests (`holdfast.import_export.jobs`), with the rights of who sent it.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.organisation.imports import (
    LINES_MAX,
    UNDER_WAY_MAX,
    Condition,
    ImportChoices,
    ImportJob,
    ImportKind,
    StartImport,
    StockMode,
    TakeBackImport,
)
from holdfast.core.records.rejection import Code
from holdfast.db import imports as kept
from holdfast.db.queries.filters import Filter
from holdfast.db.queries.imports import RowFilter, RowState, import_fields, row_fields
from holdfast.import_export import OrderFormat
from holdfast.import_export.export import write_csv
from holdfast.import_export.jobs import packed
from holdfast.reports import Reports
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.response import Download
from holdfast.web.http.route import PAGED, Call, Pages, PlannedCommand, Route, encode, found
from holdfast.web.http.strict_json import BATCH_BODY_MAX, Nothing

CSV = "text/csv"

ROW_COLUMNS = ("row", "last_row", "state", "subject", "field", "detail", "waiting", "unmapped", "back", "reason")
"""Columns of an import's rows as CSV."""


class UploadFilter(Filter, frozen=True, kw_only=True):
    """What the file is, and what is to be done with it."""

    kind: Annotated[ImportKind, Meta(description="What the file has.")]
    dry_run: Annotated[bool, Meta(description="Only say what the import would do, tried on a copy of the shop.")] = (
        False
    )
    name: Annotated[
        str | None, Meta(description="The name of the file: opening stock is received by this reference.")
    ] = None
    mode: Annotated[
        StockMode,
        Meta(
            description="Of stock: `opening` receives it, `set` and `count` make what is there what the file says, by "
            "adjustments or by counts."
        ),
    ] = "opening"
    again: Annotated[bool, Meta(description="Of opening stock: take lines that the books have once more.")] = False
    format: Annotated[
        str | None, Meta(description=f"Of orders: what wrote the file ({', '.join(OrderFormat)}); the header tells.")
    ] = None
    columns: Annotated[
        str | None, Meta(description='Of orders, for any other file: `order_number="Order ID",sku=SKU,...`')
    ] = None
    store: Annotated[str | None, Meta(description="Of orders: the store (code) of orders that name none.")] = None
    restock: Annotated[Condition, Meta(description="Of orders: what became of goods that the file calls refunded.")] = (
        "good"
    )
    custom_lines: Annotated[bool, Meta(description="Of orders: lines without a SKU need no stock.")] = False
    post_on_order_date: Annotated[
        bool, Meta(description="Of orders: book money on the day of the order, where it is not closed.")
    ] = False


class ImportDocument(msgspec.Struct):
    """An import. `rows` are those of its file, `rows_done` how many of them are done; then how many were `added`,
    `changed`, `unchanged` and `refused`. Lines of orders that are `waiting` wait for stock, those `unmapped` for their
    product to be known. When it is taken back, so many rows are `taken_back` and so many `kept`. `detail` says why it
    ended early."""

    id: str
    kind: str
    dry_run: bool
    name: str | None
    state: str
    rows: int
    rows_done: int
    added: int
    changed: int
    unchanged: int
    refused: int
    waiting: int
    unmapped: int
    taken_back: int
    kept: int
    detail: str | None
    actor: str
    stores: list[str]
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None


class MadeDocument(msgspec.Struct):
    """Something that a row has made or changed: a product, receipt, lot, entry, count, sale or return."""

    kind: str
    id: str


class ChangeDocument(msgspec.Struct):
    """A value before the import, and by it."""

    old: Any
    new: Any


class ImportRowDocument(msgspec.Struct):
    """What became of a row of the file, or of several that belong together (`row` to `last_row`, counted as a
    spreadsheet counts them: the header is row 1). `field` is the column that is wrong, `back` what came of taking it
    back, `reason` why it was kept."""

    row: int
    last_row: int
    state: RowState
    subject: str | None
    field: str | None
    detail: str | None
    made: list[MadeDocument]
    changes: dict[str, ChangeDocument]
    waiting: int
    unmapped: int
    back: str | None
    reason: str | None


# The file ------------------------------------------------------------------------------------------------------------


def text_of(raw: bytes) -> str:
    """The text of a file; a Problem where it is none."""
    if raw.startswith(b"PK\x03\x04"):
        raise invalid("", "This is a workbook, not CSV: save it as `CSV UTF-8`.")
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid("", f"The file is not CSV in UTF-8 (byte {error.start}): save it as `CSV UTF-8`.") from None
    if "\0" in text:
        raise invalid("", "The file is not CSV: it has a character NUL.")
    return text


def rows_in(text: str) -> int:
    """How many rows the file has below its header; a Problem where there are more than LINES_MAX."""
    count = -1
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            count += any(cell.strip() for cell in row)
            if count > LINES_MAX:
                raise invalid("", f"The file has more than {LINES_MAX:,} rows: send it in parts.")
    except csv.Error:  # the import says which row it is
        count = min(text.count("\n"), LINES_MAX)
    return max(count, 0)


def plan_import(call: Call) -> PlannedCommand:
    """Keep the file, and begin an import of it."""
    asked: UploadFilter = call.filter
    if asked.format is not None and asked.format not in set(OrderFormat):
        raise invalid("format", f"must be one of {', '.join(OrderFormat)}.")
    choices = ImportChoices(**{name: getattr(asked, name) for name in ImportChoices.__struct_fields__})
    _refuse_foreign(asked.kind, choices)
    text = text_of(call.body)
    lines = rows_in(text)
    count = kept.under_way(call.shop.database, call.actor.org_id)
    if count >= UNDER_WAY_MAX:
        raise Problem("INVALID_STATE", f"{count} imports of the organisation are under way: wait until one is done.")
    digest, content = packed(text)
    kept.keep_file(call.shop.database, call.actor.org_id, digest, content)
    return PlannedCommand(StartImport(asked.kind, digest, lines, asked.name, asked.dry_run, choices), _render)


_OF_STOCK = ("mode", "again")


def _refuse_foreign(kind: str, choices: ImportChoices) -> None:
    """Refuse a choice that has no meaning for files of that kind."""
    default = ImportChoices()
    for name in ImportChoices.__struct_fields__:
        if getattr(choices, name) != getattr(default, name) and kind != ("stock" if name in _OF_STOCK else "orders"):
            raise invalid(name, f"is not for {kind}.")
    if choices.again and choices.mode != "opening":
        raise invalid("again", "is for opening stock.")


def _render(job: ImportJob) -> bytes:
    return encode(import_fields(job))


def plan_take_back(call: Call) -> PlannedCommand:
    """Begin to take an import back."""
    return PlannedCommand(TakeBackImport(call.id(Code.NOT_FOUND, "Import")), _render)


# What came of it -----------------------------------------------------------------------------------------------------


def read_import(call: Call) -> Any:
    """An import."""
    name = call.args["id"]
    return found(call.shop.reports.import_(call.actor.org_id, name, stores=call.stores), Code.NOT_FOUND, "Import", name)


def read_rows(call: Call) -> Any:
    """A page of the rows of an import."""
    known = read_import(call)
    return call.shop.reports.import_rows(call.actor.org_id, known["id"], call.filter, **call.paging())


def download_rows(call: Call) -> Download:
    """The rows of an import as CSV."""
    known = read_import(call)
    return Download(_csv_parts(call, known["id"]), f"import-{known['id']}.csv")


def _csv_parts(call: Call, import_id: str) -> Iterator[bytes]:
    asked: RowFilter = call.filter
    header = True
    for part in kept.rows_of(call.shop.database, call.actor.org_id, import_id, asked.state):
        shown = [row_fields(row) for row in part if asked.back in (None, row["back"])]
        yield _csv(shown, header=header)
        header = False
    if header:
        yield _csv([], header=True)


def _csv(rows: list[dict[str, Any]], *, header: bool) -> bytes:
    file = io.StringIO()
    write_csv(rows, ROW_COLUMNS, file)
    text = file.getvalue()
    return (text if header else text.partition("\n")[2]).encode()


# The table -----------------------------------------------------------------------------------------------------------

_PATH = "/api/v1/imports"
_COMMON: dict[str, Any] = {"tag": "Imports", "permission": Permission.MANAGE}

ROUTES = (
    Route(
        method="POST",
        path=_PATH,
        summary="Import a file",
        about="The body is the file as it is, in UTF-8 (`Content-Type: text/csv`), at most 4 MiB and "
        f"{LINES_MAX:,} rows; its columns are those of `holdfast import`. The answer does not wait: ask how far the "
        f"import is. One of an organisation is worked on at a time, {UNDER_WAY_MAX} are under way at most. It acts "
        "with the rights of who sent it, and stops when they lose them; whoever is limited to stores changes only the "
        "stock of those. A dry run changes nothing, and its rows are what the run would do.",
        plan=plan_import,
        takes=CSV,
        body_max=BATCH_BODY_MAX,
        filter=UploadFilter,
        answer=ImportDocument,
        status=202,
        codes=(Code.INVALID_STATE,),
        looks_up=True,
        **_COMMON,
    ),
    Route(
        method="GET",
        path=_PATH,
        summary="List imports",
        about="The last 200 are kept, each with its rows, as far as they have a million rows together.",
        answer_with=Pages(Reports.imports),
        answer=[ImportDocument],
        query=PAGED,
        **_COMMON,
    ),
    Route(
        method="GET",
        path=f"{_PATH}/{{id}}",
        summary="Read an import",
        answer_with=read_import,
        answer=ImportDocument,
        codes=(Code.NOT_FOUND,),
        **_COMMON,
    ),
    Route(
        method="GET",
        path=f"{_PATH}/{{id}}/rows",
        summary="List the rows of an import",
        about="In the order in which they were done.",
        answer_with=read_rows,
        answer=[ImportRowDocument],
        filter=RowFilter,
        query=PAGED,
        codes=(Code.NOT_FOUND,),
        **_COMMON,
    ),
    Route(
        method="GET",
        path=f"{_PATH}/{{id}}/rows.csv",
        summary="Download the rows of an import",
        about="All of them in one file, as a spreadsheet opens it.",
        answer_with=download_rows,
        download=CSV,
        filter=RowFilter,
        codes=(Code.NOT_FOUND,),
        **_COMMON,
    ),
    Route(
        method="POST",
        path=f"{_PATH}/{{id}}/take-back",
        summary="Take an import back",
        about="Row by row from the last one, where nothing has moved since: opening stock leaves its lots, products "
        "that were added are no longer active, changed ones and levels are as they were, orders are cancelled. Other "
        "rows are kept, and say why (`reason`). It can be done again: what was kept is tried once more.",
        plan=plan_take_back,
        body=Nothing,
        answer=ImportDocument,
        status=202,
        codes=(Code.NOT_FOUND, Code.INVALID_STATE),
        **_COMMON,
    ),
)
