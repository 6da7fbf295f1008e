"""The books: balanced entries of double-entry accounting, derived from what stock and sales did (docs/how-to/books.md).

    receipt of 10 at 3.50      Dr 1200 Inventory 35.00             Cr 2000 Goods received not invoiced 35.00
    sale of 2 at 9.90, cash    Dr 1000 Cash 19.80, Dr 5000 COGS 7.00   Cr 4000 Revenue 19.80, Cr 1200 Inventory 7.00

Every ledger entry that moves value is booked by the command that made it, in the same transaction, so the inventory
account always equals the lots. Holds, transfers and recalls book nothing: their goods stay inventory. The accounting
day is the store's: a sale at 17:21 UTC in a store at +14 belongs to the next day. What is paid by a method lies on the
account that the settings name for it. Amounts are minor units, debit positive, credit negative. Nothing here is ever
changed; a correction is a new entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.ledger import Entry
from holdfast.core.records.number import VALUE_MAX
from holdfast.core.records.tax import TaxShare
from holdfast.core.records.time import day_at
from holdfast.core.stock.posting import Stock, value_exceeded
from holdfast.core.stock.record_changes import Money

replace = msgspec.structs.replace

CASH = "1000"
RECEIVABLE = "1100"
INVENTORY = "1200"
GOODS_RECEIVED = "2000"
PAYABLE = "2010"
TAX_PAYABLE = "2100"
GIFT_CARDS = "2200"
TIPS = "2300"
OPENING_EQUITY = "3000"
REVENUE = "4000"
RETURNS = "4100"
COST_OF_GOODS = "5000"
SHRINKAGE = "5100"
CASH_OVER_SHORT = "5200"
ROUNDING = "5300"
PRICE_VARIANCE = "5400"

ACCOUNTS = {
    CASH: "Cash",
    RECEIVABLE: "Receivable",
    INVENTORY: "Inventory",
    GOODS_RECEIVED: "Goods received not invoiced",
    PAYABLE: "Payable",
    TAX_PAYABLE: "Tax payable",
    GIFT_CARDS: "Gift cards",
    TIPS: "Tips",
    OPENING_EQUITY: "Opening equity",
    REVENUE: "Revenue",
    RETURNS: "Returns",
    COST_OF_GOODS: "COGS",
    SHRINKAGE: "Shrinkage",
    CASH_OVER_SHORT: "Cash over/short",
    ROUNDING: "Rounding",
    PRICE_VARIANCE: "Purchase price variance",
}
"""The chart that every organisation begins with; names may be changed and accounts added."""

KEPT_BY_ITSELF = {CASH: "drawers", INVENTORY: "lots", GIFT_CARDS: "balances of gift cards"}
"""Accounts that the shop keeps by itself, and what each follows: nobody posts on them by hand."""

_KINDS = {"1": "asset", "2": "liability", "3": "equity", "4": "income"}

OPENING = "OPENING"
"""The `ref_type` of the entry that books what stock was worth when the books began: all older movements at once."""


class TaxLine(NamedTuple):
    """A line of an account that says which tax it is: `amount` and the `net` that it was taken of, minor units, debit
    positive, credit negative."""

    account: str
    amount: int
    name: str
    rate: int
    net: int


class PaymentLine(NamedTuple):
    """A line of the account that the settings named for the `method` of a payment."""

    account: str
    amount: int
    method: str


Line = tuple[str, int] | TaxLine | PaymentLine
"""(account, amount): minor units, debit positive, credit negative; of tax with its rate, of a payment with its method.
"""


def tax_payable(shares: Iterable[TaxShare]) -> list[Line]:
    """The lines that tax by rate owes to the state; negative shares take it back."""
    return [TaxLine(TAX_PAYABLE, -share.tax, share.name, share.rate, -share.net) for share in shares]


class Account(msgspec.Struct, frozen=True, gc=False):
    """An account that the organisation renamed or added; `id` is its code."""

    id: str
    name: str
    created_at: int
    updated_at: int


class JournalEntry(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One balanced entry. `day` is the accounting day (YYYY-MM-DD); `at` when it was made (microseconds). `store_id` is
    the store in which its money moved; an entry of an older version has none. With `earlier` its money moved elsewhere,
    on a day that may be long before.

    `settled` says what of it was paid by methods with an account of their own: (method, account, amount). An entry that
    takes another one back names it in `reverses`.
    """

    id: str
    at: int
    day: str
    description: str
    ref_type: str
    ref_id: str | None
    ledger_ids: tuple[str, ...]
    actor: str
    store_id: str | None = None
    earlier: bool = False
    settled: tuple[tuple[str, str, int], ...] | None = None
    reverses: str | None = None


class Posting(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of an entry: `amount` in minor units, debit positive, credit negative.

    A line of tax says at which rate (10**-6, with its name) and of what net. What an older version posted does not.
    """

    entry_id: str
    position: int
    account: str
    amount: int
    day: str
    at: int
    tax_name: str | None = None
    tax_rate: int | None = None
    tax_net: int | None = None

    @property
    def id(self) -> str:
        """Its entry and its place in it."""
        return f"{self.entry_id} {self.position}"


def account_kind(code: str) -> str:
    """`asset`, `liability`, `equity`, `income` or `expense`: codes of 5 and above are expenses."""
    return _KINDS.get(code[:1], "expense")


def usual_account(method: str) -> str:
    """Where a payment lies while the settings name no account for its method.

    Cash is in the drawer, a gift card in what is owed to its holder, anything else is to be received. So is what came
    back in an exchange, and what is set against what is owed: no money moves for them.
    """
    return {"cash": CASH, "gift_card": GIFT_CARDS}.get(method, RECEIVABLE)


def own_account(stock: Stock, method: str) -> str | UnsetType:
    """The account that the settings name for a method; cash, gift cards, and what moves no money have none."""
    return (stock.settings.payment_accounts or {}).get(method, UNSET)


def paid_by(method: str, amount: int, account: str | UnsetType) -> Line:
    """The line of a payment by the method (negative: of a refund), on its own account where it has one, else on the
    usual one."""
    return (usual_account(method), amount) if account is UNSET else PaymentLine(account, amount, method)


def stage_money(
    stock: Stock, ref_type: str, ref_id: str, description: str, lines: Iterable[Line], store_id: str | None
) -> None:
    """Money that the command under way moves, in a store or (None) in none; it is booked with the goods of the same
    reference, as one entry."""
    stock.put_money(ref_type, ref_id, Money(description, store_id, tuple(lines)))


def book(stock: Stock, first_entry: int) -> None:
    """Book what a command did: ledger entries from number `first_entry` on that moved value, and its money.

    Goods with money are one entry, on the day of the store that the money names; where it names none, of the store in
    which all the goods lie. Goods without money are one entry for each store in which they lie.
    """
    goods: dict[tuple[str, str | None], list[Entry]] = {}
    for entry in stock.entries[first_entry:]:
        if entry.value_delta and entry.ref_type not in ("TRANSFER", "EXPIRY"):
            goods.setdefault((entry.ref_type, entry.ref_id), []).append(entry)
    for key, money in stock.take_money().items():
        # Money of an earlier day has an entry of its own: the goods, and what they cost, move in the books today.
        own = goods.pop(key, []) if money.day is None else []
        if money.day is not None:
            costs = tuple(line for line in money.lines if line[0] in _COSTS)
            money = replace(money, lines=tuple(line for line in money.lines if line[0] not in _COSTS))
            _put_entry(stock, key, Money(money.description, money.store_id, costs), [])
        stores = {_store_of(stock, entry) for entry in (own or goods.get(key, []))}
        store_id = next(iter(stores)) if money.store_id is None and len(stores) == 1 else money.store_id
        _put_entry(stock, key, replace(money, store_id=store_id), own)
    for ref, entries in goods.items():
        by_store: dict[str, list[Entry]] = {}
        for entry in entries:
            by_store.setdefault(_store_of(stock, entry), []).append(entry)
        for store_id, own in by_store.items():
            _put_entry(stock, ref, Money(_DESCRIPTIONS[ref[0]], store_id, ()), own)


_COSTS = (COST_OF_GOODS, SHRINKAGE)


def _store_of(stock: Stock, entry: Entry) -> str:
    """The store in which the goods of a ledger entry lie."""
    return stock.catalog.locations[entry.location_id].store_id


_DESCRIPTIONS = {
    "RECEIPT": "Goods received",
    "SALE": "Cost of goods sold",
    "RETURN": "Goods returned",
    "ADJUSTMENT": "Stock adjusted",
    "COUNT": "Stock counted",
}


def _contra(entry: Entry) -> str:
    """The account against which inventory moves."""
    if entry.ref_type in ("RECEIPT", "ADJUSTMENT") and entry.source == "opening":  # received, or taken back
        return OPENING_EQUITY
    if entry.ref_type == "RECEIPT":
        return GOODS_RECEIVED
    return COST_OF_GOODS if entry.ref_type in ("SALE", "RETURN") else SHRINKAGE


def _put_entry(stock: Stock, ref: tuple[str, str | None], money: Money, goods: list[Entry]) -> None:
    amounts: dict[str, int] = {}
    taxes: list[TaxLine] = []
    settled: dict[tuple[str, str], int] = {}
    for line in money.lines:
        if isinstance(line, TaxLine):
            taxes.append(line)
            continue
        if isinstance(line, PaymentLine):
            key = line.method, line.account
            settled[key] = settled.get(key, 0) + line.amount
        amounts[line[0]] = amounts.get(line[0], 0) + line[1]
    for entry in goods:
        contra = _contra(entry)
        amounts[INVENTORY] = amounts.get(INVENTORY, 0) + entry.value_delta
        amounts[contra] = amounts.get(contra, 0) - entry.value_delta
    lines: list[Line] = [(account, amount) for account, amount in amounts.items() if amount]
    lines += [line for line in taxes if line.amount or line.net]
    lines.sort(key=lambda line: line[0])
    assert sum(line[1] for line in lines) == 0, (ref, lines)
    if any(abs(line[1]) > VALUE_MAX for line in lines):
        raise value_exceeded()
    if not lines:
        return
    day = open_day(stock, money.store_id) if money.day is None else _earlier_day(stock, money.day, money.store_id)
    made = JournalEntry(
        stock.new_id(),
        stock.now,
        day,
        money.description,
        *ref,
        tuple(entry.id for entry in goods),
        stock.caller.actor,
        money.store_id,
        earlier=money.day is not None,
        settled=tuple((*key, amount) for key, amount in sorted(settled.items()) if amount) or None,
    )
    put_entry(stock, made, lines)


def put_entry(stock: Stock, entry: JournalEntry, lines: Iterable[Line]) -> list[Posting]:
    """Keep a balanced entry with its lines, on its day."""
    postings = []
    for position, line in enumerate(lines):
        more = line[2:] if isinstance(line, TaxLine) else ()
        postings.append(Posting(entry.id, position, line[0], line[1], entry.day, entry.at, *more))
    assert sum(posting.amount for posting in postings) == 0, (entry, postings)
    stock.put_row(entry)
    for posting in postings:
        stock.put_row(posting)
    return postings


def calendar_day(stock: Stock, store_id: str | None) -> str:
    """Today by the calendar of the store, or of the organisation where there is none."""
    store = None if store_id is None else stock.catalog.stores.get(store_id)
    return day_at(stock.now, stock.settings.timezone if store is None else store.timezone)


def _earlier_day(stock: Stock, day: str, store_id: str | None) -> str:
    """The day on which money was moved elsewhere, unless it is closed, or not there yet: then today's."""
    closed, today = stock.settings.books_closed_through, open_day(stock, store_id)
    return day if day <= today and (closed is None or day > closed) else today


def open_day(stock: Stock, store_id: str | None) -> str:
    """Today by the calendar of the store, or of the organisation where there is none; the first day after the closed
    ones when that day is closed."""
    today = calendar_day(stock, store_id)
    closed = stock.settings.books_closed_through
    if closed is None or today > closed:
        return today
    return (date.fromisoformat(closed) + timedelta(days=1)).isoformat()
