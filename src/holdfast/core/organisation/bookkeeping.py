"""The bookkeeper: entries by hand, bills of suppliers, and the entries that take either back (docs/how-to/books.md).

    PostEntry("Card payout", (EntryLine("1010", debit="97.00"), EntryLine("6100", debit="3.00"),
                              EntryLine("1110", credit="100.00")))
    BillReceipt(receipt_id, "36.20", "INV-7")     -> of goods at 35.00: 2000 down by 35.00, 2010 up by 36.20,
                                                     the difference to 5400
    ReverseEntry(entry_id)                        -> the same lines the other way round; the first entry stays

An entry by hand is on accounts of the chart, and on none that the shop keeps by itself: cash follows the drawers,
inventory the lots, gift cards their balances. Its day is today, or an earlier one that is not closed. A receipt is
billed once, and once more when its bill was taken back. Amounts are decimal strings here, minor units in the books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.organisation.changes import lock_organisation
from holdfast.core.organisation.periods import account_name
from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Day
from holdfast.core.records.number import from_minor, to_minor
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused, invalid_state, malformed, not_found
from holdfast.core.records.tax import TaxDocument, TaxShare, tax_documents
from holdfast.core.records.text import TEXT_MAX
from holdfast.core.records.time import instant_text
from holdfast.core.records.wants import EntriesOf, EntryById
from holdfast.core.stock.journal import (
    GOODS_RECEIVED,
    KEPT_BY_ITSELF,
    PAYABLE,
    PRICE_VARIANCE,
    JournalEntry,
    Line,
    Posting,
    TaxLine,
    calendar_day,
    open_day,
    put_entry,
)
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.store_access import refuse_foreign_store
from holdfast.core.warehouse.receiving import Receipt

BY_HAND = "ENTRY"
"""The `ref_type` of an entry by hand, and of the one that takes it back; that one refers to the first by its id."""

BILL = "BILL"
"""The `ref_type` of a bill of a receipt, and of the entry that takes it back; both refer to the receipt."""

LINES_MAX = 100
"""Most lines of an entry by hand."""

FIRST_DAY = "1970-01-01"
"""Nothing is posted before it."""


class EntryLine(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A line of an entry by hand: a debit or a credit above zero, as a decimal string."""

    account: str
    debit: str | None = None
    credit: str | None = None


class PostEntry(Command, frozen=True, gc=False):
    """An entry by hand; `date` is the day on which it counts (none: today)."""

    description: str
    lines: tuple[EntryLine, ...]
    date: Day | None = None


class ReverseEntry(Command, frozen=True, gc=False):
    """Take back an entry by hand, or a bill, by an entry of the opposite lines."""

    entry_id: str
    date: Day | None = None
    description: str | None = None


class BillReceipt(Command, frozen=True, gc=False):
    """The supplier's bill for what a receipt brought: `amount` as a decimal string, without recoverable tax."""

    receipt_id: str
    amount: str
    reference: str | None = None


class JournalLine(msgspec.Struct, frozen=True, gc=False):
    """A line of an entry: one of debit and credit is zero. A line of tax says at which rate, and of what net."""

    account: str
    name: str
    debit: str
    credit: str
    tax: TaxDocument | UnsetType = UNSET


class JournalDocument(msgspec.Struct, frozen=True, gc=False):
    """A journal entry. `day` is the day on which it counts, `at` when it was made; `reverses` is the id of the entry
    that it takes back."""

    id: str
    at: str
    day: str
    description: str
    ref_type: str
    ref_id: str | None
    ledger_ids: list[str]
    lines: list[JournalLine]
    reverses: str | UnsetType = UNSET


class BillDocument(msgspec.Struct, frozen=True, gc=False):
    """A bill: `id` is its journal entry's. `received` is what the receipt had posted as not invoiced, `variance` what
    the bill is above it (negative: below)."""

    id: str
    receipt_id: str
    day: str
    amount: str
    received: str
    variance: str
    reference: str | None


# Entries by hand -----------------------------------------------------------------------------------------------------


def post_entry(stock: Stock, command: PostEntry) -> JournalDocument:
    """Decide a PostEntry."""
    if not 2 <= len(command.lines) <= LINES_MAX:
        raise malformed("lines", f"an entry has 2 to {LINES_MAX} lines.")
    lines = stock.each(command.lines, lambda index, line: _line(stock, index, line))
    _refuse_twice(lines)
    debit = sum(amount for _, amount in lines if amount > 0)
    credit = debit - sum(amount for _, amount in lines)
    if debit != credit:
        digits = stock.settings.minor_digits
        numbers = {"field": "lines", "debit": from_minor(debit, digits), "credit": from_minor(credit, digits)}
        words = f"The debits are {numbers['debit']} and the credits {numbers['credit']}: they must be equal."
        raise Refused(Code.INVALID_AMOUNT, words, numbers)
    entry = _entry(stock, BY_HAND, None, command.description, _day(stock, command.date), None)
    return _posted(stock, entry, [*lines])


def _line(stock: Stock, index: int, line: EntryLine) -> tuple[str, int]:
    """The account and the amount of a line, in minor units, debit positive."""
    field = f"lines.{index}"
    if (line.debit is None) == (line.credit is None):
        raise malformed(f"{field}.debit", "give a debit or a credit, one of the two.")
    if line.account in KEPT_BY_ITSELF:
        follows = KEPT_BY_ITSELF[line.account]
        raise malformed(f"{field}.account", f"no entry by hand is on {line.account}: it follows the {follows}.")
    if account_name(stock, line.account) is None:
        raise malformed(f"{field}.account", f"there is no account {line.account!r}: add it to the chart first.")
    side = "debit" if line.credit is None else "credit"
    amount = to_minor((line.debit if line.credit is None else line.credit) or "", stock.settings.minor_digits)
    if amount is None or amount <= 0:
        raise malformed(f"{field}.{side}", "must be an amount of money above zero.", Code.INVALID_AMOUNT)
    return line.account, amount if side == "debit" else -amount


def _refuse_twice(lines: Sequence[tuple[str, int]]) -> None:
    """Refuse an account that has two lines: an entry says once what an account gets."""
    seen: set[str] = set()
    for index, (account, _) in enumerate(lines):
        if account in seen:
            raise malformed(f"lines.{index}.account", f"{account} has a line already: give one for both.")
        seen.add(account)


def _day(stock: Stock, asked: str | None) -> str:
    """The day on which an entry counts: today where none was asked for, or the first open one."""
    if asked is None:
        return open_day(stock, None)
    closed = stock.settings.books_closed_through
    if closed is not None and asked <= closed:
        raise invalid_state(f"The books are closed through {closed}.", field="date", books_closed_through=closed)
    if asked > calendar_day(stock, None):
        raise invalid_state(f"{asked} has not begun: an entry is of today at the latest.", field="date")
    if asked < FIRST_DAY:
        raise malformed("date", f"must be {FIRST_DAY} or later.")
    return asked


def _entry(
    stock: Stock, ref_type: str, ref_id: str | None, description: str, day: str, store_id: str | None
) -> JournalEntry:
    text = description[:TEXT_MAX]
    return JournalEntry(stock.new_id(), stock.now, day, text, ref_type, ref_id, (), stock.caller.actor, store_id)


def _posted(stock: Stock, entry: JournalEntry, lines: list[Line]) -> JournalDocument:
    """The entry in the books, as the API shows it."""
    lines.sort(key=lambda line: line[0])
    names = dict(stock.each(lines, lambda _, line: (line[0], account_name(stock, line[0]) or line[0])))
    postings = put_entry(stock, entry, lines)
    return entry_document(entry, postings, names, stock.settings.minor_digits)


def entry_document(
    entry: JournalEntry, postings: Sequence[Posting], names: Mapping[str, str], digits: int
) -> JournalDocument:
    """The public shape of an entry; `names` are those of accounts by their codes."""
    lines = []
    for line in postings:
        tax: TaxDocument | UnsetType = UNSET
        if line.tax_name is not None:
            share = TaxShare(line.tax_name, line.tax_rate or 0, -(line.tax_net or 0), -line.amount)
            tax = tax_documents([share], digits)[0]
        debit, credit = from_minor(max(line.amount, 0), digits), from_minor(max(-line.amount, 0), digits)
        lines.append(JournalLine(line.account, names.get(line.account, line.account), debit, credit, tax))
    return JournalDocument(
        entry.id,
        instant_text(entry.at),
        entry.day,
        entry.description,
        entry.ref_type,
        entry.ref_id,
        list(entry.ledger_ids),
        lines,
        UNSET if entry.reverses is None else entry.reverses,
    )


# Taking back ---------------------------------------------------------------------------------------------------------


def reverse_entry(stock: Stock, command: ReverseEntry) -> JournalDocument:
    """Decide a ReverseEntry: once, and never the reversal of a reversal."""
    stock.require(EntryById(command.entry_id))
    entry = stock.row(JournalEntry, command.entry_id)
    if entry is None:
        raise not_found(Code.NOT_FOUND, "Journal entry", command.entry_id)
    if entry.ref_type not in (BY_HAND, BILL):
        raise invalid_state(f"An entry of {entry.ref_type} follows what it books: correct that.")
    if entry.reverses is not None:
        raise invalid_state("The entry takes another one back: post that one anew.")
    if any(one.reverses == entry.id for one in _entries_about(stock, entry)):
        raise invalid_state("The entry was taken back already.")
    lines = [_opposite(line) for line in stock.rows_of(Posting) if line.entry_id == entry.id]
    ref_id = entry.id if entry.ref_type == BY_HAND else entry.ref_id
    words = command.description or f"Taken back: {entry.description}"
    made = _entry(stock, entry.ref_type, ref_id, words, _day(stock, command.date), entry.store_id)
    return _posted(stock, msgspec.structs.replace(made, reverses=entry.id), lines)


def _entries_about(stock: Stock, entry: JournalEntry) -> list[JournalEntry]:
    """The entries among which the reversal of this one would be; nobody else adds one meanwhile."""
    if entry.ref_type == BILL:
        assert entry.ref_id is not None, entry
        stock.record("receipt", entry.ref_id)
        return _about(stock, entry.ref_id)
    lock_organisation(stock)
    return _about(stock, entry.id)


def _about(stock: Stock, ref_id: str) -> list[JournalEntry]:
    """The entries that refer to something, as far as they are in the database or in this batch."""
    stock.require(EntriesOf(ref_id))
    return [entry for entry in stock.rows_of(JournalEntry) if entry.ref_id == ref_id]


def _opposite(line: Posting) -> Line:
    if line.tax_name is None:
        return line.account, -line.amount
    return TaxLine(line.account, -line.amount, line.tax_name, line.tax_rate or 0, -(line.tax_net or 0))


# Bills ---------------------------------------------------------------------------------------------------------------


def bill_receipt(stock: Stock, command: BillReceipt) -> BillDocument:
    """Decide a BillReceipt: what the receipt owed as not invoiced is owed to the supplier now, as the bill says."""
    receipt: Receipt | None = stock.record("receipt", command.receipt_id)
    if receipt is None:
        raise not_found(Code.NOT_FOUND, "Receipt", command.receipt_id)
    place = stock.catalog.locations[receipt.location_id]
    refuse_foreign_store(stock, place)
    digits = stock.settings.minor_digits
    amount = to_minor(command.amount, digits)
    if amount is None or amount <= 0:
        raise malformed("amount", "must be an amount of money above zero.", Code.INVALID_AMOUNT)
    received = _received(stock, receipt)
    reference = command.reference
    about = "" if receipt.reference is None else f" for {receipt.reference}"
    words = f"Bill{'' if reference is None else f' {reference}'}{about}"
    lines: list[Line] = [(GOODS_RECEIVED, received), (PAYABLE, -amount), (PRICE_VARIANCE, amount - received)]
    day = open_day(stock, place.store_id)
    entry = _entry(stock, BILL, receipt.id, words, day, place.store_id)
    put_entry(stock, entry, [line for line in lines if line[1]])
    return BillDocument(
        entry.id,
        receipt.id,
        day,
        from_minor(amount, digits),
        from_minor(received, digits),
        from_minor(amount - received, digits),
        reference,
    )


def _received(stock: Stock, receipt: Receipt) -> int:
    """What the receipt has posted as not invoiced, in minor units; refused when it is billed, or is not to be."""
    if receipt.kind == "opening":
        raise invalid_state("Opening stock is the owners': there is no bill for it.")
    entries = _about(stock, receipt.id)
    reversed_ids = {entry.reverses for entry in entries}
    bills = [entry for entry in entries if entry.ref_type == BILL and entry.reverses is None]
    standing = next((entry for entry in bills if entry.id not in reversed_ids), None)
    if standing is not None:
        raise invalid_state("The receipt is billed: take that bill back first.", entry_id=standing.id)
    first = {entry.id for entry in entries if entry.ref_type == "RECEIPT"}
    if not first and any(to_minor(line.value, stock.settings.minor_digits) for line in receipt.lines):
        raise invalid_state("The receipt is older than the books: what it is worth is in the opening entry.")
    postings = [line for line in stock.rows_of(Posting) if line.entry_id in first]
    return -sum(line.amount for line in postings if line.account == GOODS_RECEIVED)


# A bill is a manager's work; it is taken back, as every entry, by an admin of all stores only.
DECISIONS = (
    Decision(PostEntry, post_entry, Permission.CONFIGURE, of_all_stores=True),
    Decision(ReverseEntry, reverse_entry, Permission.CONFIGURE, of_all_stores=True),
    Decision(BillReceipt, bill_receipt, Permission.MANAGE),
)
