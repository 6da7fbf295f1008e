"""`holdfast import products|stock|orders FILE` and `holdfast export stock|ledger|journal|heads`.

Every bad line of an import is named with its number on standard error; the exit code is 1 when there was any. Exports
go to standard output while they are read, whatever their size.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar

import typer

from holdfast.check.heads import heads_lines, key_of
from holdfast.cli.choices import AsJson, Org
from holdfast.cli.terminal import (
    Misuse,
    Refusal,
    group_of_commands,
    open_shop,
    progress,
    ready_database,
    say,
    say_json,
    tell,
)
from holdfast.core.records.number import from_minor
from holdfast.core.records.time import instant_text
from holdfast.db.audit_rows import snapshot
from holdfast.db.bulk import journal_size, titles
from holdfast.db.organisations import clock
from holdfast.import_export import (
    JOURNAL_EXPORT,
    LEDGER_EXPORT,
    STOCK_EXPORT,
    Choices,
    FileRefused,
    NameMap,
    OrderFormat,
    Outcome,
    StockMode,
    beancount,
    export_journal,
    export_ledger,
    export_stock,
    import_license_keys,
    import_orders,
    import_products,
    import_stock,
    write_csv,
    write_json,
)
from holdfast.organisation import command_line, organisation_of

NAMED_ON_TERMINAL = 1000
"""Most bad lines, and notes, that are printed."""

LINES_OF_STOCK = "lines of stock"
UNCHANGED = "unchanged"

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A CSV file in UTF-8 whose first line names columns.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be done as things stand now, tried on a copy of the shop, and do nothing."
    ),
]


KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="The key of the signature: a file of at least 16 bytes."),
]


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    JSON = "json"


class JournalFormat(StrEnum):
    """How the journal is written."""

    CSV = "csv"
    BEANCOUNT = "beancount"


T = TypeVar("T")

PROGRESS_LINES = 1_000
"""So many lines of an export are told at a time."""


class Condition(StrEnum):
    """In which condition refunded goods came back; `none`: not at all."""

    GOOD = "good"
    DAMAGED = "damaged"
    NONE = "none"


FormatOption = Annotated[Format, typer.Option("--format", help="How to write it.")]

import_commands = group_of_commands("Take products, stock and orders from CSV files.")
export_commands = group_of_commands("Write stock, ledger and journal to standard output.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(import_commands, name="import")
    app.add_typer(export_commands, name="export")


@import_commands.command("products")
def import_products_file(file: FileArgument, org: Org, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add products, and change those that exist: sku,title,kind,price,... or Shopify's product export."""
    with _opened(file) as opened, open_shop(org) as (shop, organisation), progress("lines") as show:
        actor = command_line(organisation.id)
        outcome = import_products(shop, actor, organisation, opened, dry_run=dry_run, progress=_counting(show))
    _report(outcome, "products", dry_run=dry_run, as_json=as_json)
    _end(outcome)


@import_commands.command("stock")
def import_stock_file(
    file: FileArgument,
    org: Org,
    dry_run: DryRun = False,
    again: Annotated[bool, typer.Option("--again", help="Take lines that the books have once more.")] = False,
    make_equal: Annotated[
        bool, typer.Option("--set", help="Make what is there what the file says, by adjustments.")
    ] = False,
    count: Annotated[bool, typer.Option("--count", help="The file was counted: post it as counts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Receive opening stock: sku,location,quantity[,unit_cost,lot_code,expires_at], or a file of `export stock`."""
    if again + make_equal + count > 1:
        raise Misuse("Give one of --again, --set and --count.")
    mode = StockMode.SET if make_equal else StockMode.COUNT if count else StockMode.OPENING
    with _opened(file) as opened, open_shop(org) as (shop, organisation), progress("lines") as show:
        actor = command_line(organisation.id)
        outcome = import_stock(
            shop,
            actor,
            opened,
            mode=mode,
            reference=file.name[:200],
            dry_run=dry_run,
            again=again,
            progress=_counting(show),
        )
    received = mode is StockMode.OPENING
    _report(outcome, LINES_OF_STOCK, dry_run=dry_run, as_json=as_json, skipped="skipped" if received else UNCHANGED)
    if outcome.skipped and received and not (again or dry_run):
        tell("Skipped lines are in the books already, or of nothing; --again takes them once more.")
    _end(outcome)


@import_commands.command("orders")
def import_orders_file(
    file: FileArgument,
    org: Org,
    form: Annotated[
        OrderFormat | None, typer.Option("--format", help="What wrote it; without it the header tells.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", metavar="NAME=HEADER,...", help='For any other file: order_number="Order ID",sku=SKU,...'
        ),
    ] = None,
    map_file: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="Which products lines without a SKU are; a dry run writes it."),
    ] = None,
    custom_lines: Annotated[
        bool, typer.Option("--custom-lines", help="Lines without a SKU, and not in the map, need no stock.")
    ] = False,
    post_on_order_date: Annotated[
        bool, typer.Option("--post-on-order-date", help="Book money on the day of the order, where it is not closed.")
    ] = False,
    store: Annotated[
        str | None, typer.Option("--store", metavar="CODE", help="The store of orders that name none.")
    ] = None,
    restock: Annotated[
        Condition, typer.Option("--restock", help="What became of goods that the file calls refunded.")
    ] = Condition.GOOD,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take orders and sales: in our own columns, or as Shopify, WooCommerce, Amazon, Etsy and Square export them."""
    names = _names_of(map_file, dry_run=dry_run)
    choices = Choices(form, columns, store, restock.value, names, custom_lines, post_on_order_date)
    with _opened(file) as opened, open_shop(org) as (shop, organisation), progress("lines") as show:
        actor = command_line(organisation.id)
        outcome = import_orders(shop, actor, organisation, opened, choices, dry_run=dry_run, progress=_counting(show))
        new = None
        if dry_run and map_file is not None and names is not None:
            new = names.learn(outcome.names, titles(shop.database, organisation.id))
            names.write(map_file)
    figures = {
        "returns": outcome.returns,
        "adjustments": outcome.adjustments,
        "waiting": outcome.waiting,
        "unmapped": outcome.unmapped,
        "sold": from_minor(outcome.sold, organisation.minor_digits),
        "refunded": from_minor(outcome.refunded, organisation.minor_digits),
    }
    _report(outcome, "orders", dry_run=dry_run, as_json=as_json, figures=figures)
    if new is not None:
        tell(f"{map_file} has {new} new names: write into its column sku which product each of them is.")
    _end(outcome)


@import_commands.command("license-keys")
def import_license_keys_file(
    file: FileArgument,
    org: Org,
    product: Annotated[
        str | None, typer.Option("--product", metavar="SKU", help="The product of lines that name none.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add license keys of digital products: sku,license_key; those that are known are skipped."""
    with _opened(file) as opened, open_shop(org) as (shop, organisation), progress("lines") as show:
        actor = command_line(organisation.id)
        outcome = import_license_keys(shop, actor, opened, product=product, dry_run=dry_run, progress=_counting(show))
    _report(outcome, "license keys", dry_run=dry_run, as_json=as_json, skipped="known already")
    _end(outcome)


@export_commands.command("stock")
def export_stock_rows(org: Org, form: FormatOption = Format.CSV) -> None:
    """Every product at every location."""
    with ready_database() as database:
        rows = export_stock(database, organisation_of(database, org))
        write_csv(rows, STOCK_EXPORT, sys.stdout) if form is Format.CSV else write_json(rows, sys.stdout)


@export_commands.command("ledger")
def export_ledger_rows(org: Org, form: FormatOption = Format.CSV) -> None:
    """Every entry of the ledger, oldest first."""
    with ready_database() as database:
        rows = export_ledger(database, organisation_of(database, org))
        write_csv(rows, LEDGER_EXPORT, sys.stdout) if form is Format.CSV else write_json(rows, sys.stdout)


@export_commands.command("journal")
def export_journal_rows(
    org: Org,
    form: Annotated[JournalFormat, typer.Option("--format", help="How to write it.")] = JournalFormat.CSV,
) -> None:
    """Every posting of the journal, oldest first: a CSV line each, or a ledger that Beancount reads."""
    with ready_database() as database, progress("postings") as show:
        organisation = organisation_of(database, org)
        total = journal_size(database, organisation.id)
        if form is JournalFormat.CSV:
            write_csv(_told(export_journal(database, organisation), show, total), JOURNAL_EXPORT, sys.stdout)
        else:
            sys.stdout.writelines(_told(beancount(database, organisation), show, total))


@export_commands.command("heads")
def export_heads(
    org: Annotated[
        str | None, typer.Option("--org", metavar="ORG", help="Only this organisation: its id or name.")
    ] = None,
    key_file: KeyFile = None,
) -> None:
    """How far every ledger goes, as JSON, signed: keep it elsewhere, and `check --heads` compares it one day."""
    key = key_of(key_file)
    with ready_database() as database:
        org_id = None if org is None else organisation_of(database, org).id
        if key is None:
            tell("Not signed: --key-file names a key.")
        with snapshot(database) as rows:
            sys.stdout.writelines(heads_lines(rows.heads(org_id), instant_text(clock(database)), key))


def _names_of(path: Path | None, *, dry_run: bool) -> NameMap | None:
    """The map of that file; a dry run begins one where there is none."""
    if path is None:
        return None
    if dry_run and not path.exists():
        return NameMap()
    with _opened(path) as opened:
        return NameMap.read(opened)


def _told(lines: Iterator[T], show: Callable[[int, int | None], None], total: int) -> Iterator[T]:
    """The lines, while progress is told."""
    for done, line in enumerate(lines, 1):
        if done % PROGRESS_LINES == 0:
            show(min(done, total), total)
        yield line


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("rb") as begin:
            first = begin.read(4)
        if first == b"PK\x03\x04":
            raise Refusal(f"{path}: This is a workbook, not CSV: save it as `CSV UTF-8`.")
        encoding = "utf-16" if first[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with path.open(encoding=encoding, newline="") as file:
            yield file
    except FileRefused as error:
        raise Refusal(f"{path}: {error}") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if error.filename is None or Path(error.filename) != path:
            raise
        raise Misuse(f"{path}: {error.strerror}.") from error


def _counting(show: Callable[[int, int | None], None]) -> Callable[[int], None]:
    """Add up what a file's parts tell; how many lines it has is not known before its end."""
    done = 0

    def advance(lines: int) -> None:
        nonlocal done
        done += lines
        show(done, None)

    return advance


def _report(
    outcome: Outcome,
    what: str,
    *,
    dry_run: bool,
    as_json: bool,
    skipped: str = UNCHANGED,
    figures: dict[str, Any] | None = None,
) -> None:
    """Say what became of the lines."""
    for line, words in outcome.notes[:NAMED_ON_TERMINAL]:
        tell(f"line {line}: note: {words}")
    for line, words in sorted(outcome.bad)[:NAMED_ON_TERMINAL]:
        tell(f"line {line}: {words}")
    if outcome.refused > NAMED_ON_TERMINAL:
        tell(f"... and {outcome.refused - NAMED_ON_TERMINAL} more.")
    if as_json:
        say_json(
            {
                "added": outcome.added,
                "changed": outcome.changed,
                "skipped": outcome.skipped,
                "refused": outcome.refused,
                **(figures or {}),
                "dry_run": dry_run,
                "lines": [{"line": line, "detail": words} for line, words in sorted(outcome.bad)],
                "notes": [{"line": line, "detail": words} for line, words in outcome.notes],
            }
        )
    else:
        counts = (outcome.added, "added"), (outcome.changed, "changed"), (outcome.skipped, skipped)
        told = [f"{count} {word}" for count, word in counts if count] or ["nothing to do"]
        say(f"{'Would be: ' if dry_run else ''}{what}: {', '.join(told)}, {outcome.refused} refused.")
        shown = [f"{name} {figure}" for name, figure in (figures or {}).items() if float(figure)]
        if shown:
            say(f"{', '.join(shown)}.")


def _end(outcome: Outcome) -> None:
    """Exit 1 when a line was refused."""
    if outcome.refused:
        raise typer.Exit(1)
