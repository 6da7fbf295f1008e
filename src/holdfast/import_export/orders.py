"""Orders from a CSV file: sales that were made elsewhere, taken once each, as a whole or not at all.

    import_orders(shop, actor, organisation, file)      in any of the formats of `order_formats`

An order is known by its source and number. A line whose product is not known waits, and its order is taken. Importing
a file again brings on what is new of each (shipped, cancelled, returned since, a product that is known now) and leaves
the rest alone. Orders are taken in the file's order, several on their way at once, so memory does not grow with the
file. Books and ledger have them on the day of the import, unless their money is asked to be booked on the order's.

A dry run is the same run, on a copy of the organisation that is thrown away: what it says is what would happen to the
shop as it stood then. It cannot know what others will have done by the time of the real one.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TextIO

import msgspec

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.number import from_minor
from holdfast.core.records.organisation import Location
from holdfast.core.records.product import folded
from holdfast.core.records.rejection import Code, Rejected
from holdfast.core.sales.order_facts import OrderedLine
from holdfast.core.sales.order_import import ImportedOrder, ImportOrder
from holdfast.core.sales.returns import BlindLine, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.db.open_purchases import Sold
from holdfast.db.organisations import OrganisationRow, StoreRow
from holdfast.import_export.dry_run import copy_of
from holdfast.import_export.order_file import (
    Context,
    FileFacts,
    FileOrder,
    FileReturn,
    Item,
    LineName,
    Passed,
    Unread,
    minor_of,
)
from holdfast.import_export.order_formats import NUMBERS, OrderFormat, columns_said, reader_of, recognised, with_columns
from holdfast.import_export.order_names import NameMap
from holdfast.import_export.order_products import FileProducts
from holdfast.import_export.places import locations_of, stores_of
from holdfast.import_export.retail import METHOD, RETAIL
from holdfast.import_export.rows import FileRow, Made, Rows
from holdfast.import_export.table import BadLine, FileRefused, Outcome, Progress, read_table

replace = msgspec.structs.replace

PIECES = 2
"""Pieces of lines of orders that are on their way at once."""

PART_ORDERS = 50
"""Orders that are looked at together."""

STAYS_SOLD = (
    "it is sold here and stays so: a cancellation takes nothing back. "
    "For goods that came back import it as completed, with how many in `returned`, or record a return."
)
"""What is said of an order that went out here and is cancelled in the file."""

STAYS_CANCELLED = "it is cancelled here and stays so: nothing is held for it."
"""What is said of an order that was cancelled here and still has to go out in the file."""

TAKEN_UP = "it was cancelled here, but the file says that it has gone out: it is taken up again and sold."
"""What is said of an order that was cancelled here and has gone out in the file."""

SOLD_LESS = (
    "more of it has gone out, the file says, than was sold here, and it is finished: sell the rest as another order."
)
"""What is said of an order that was finished here with less than has gone out in the file."""

NAMED_SKUS_MAX = 5
"""Reasons that a refused order is named with."""


class OrdersOutcome(Outcome):
    """What became of a file's orders. Amounts in minor units; `sold` is of orders added that are not cancelled.

    `unmapped` are lines that wait until it is known which product they are; `names` says how many lines of orders the
    file calls so, without their product being known.
    """

    returns: int = 0
    adjustments: int = 0
    waiting: int = 0
    unmapped: int = 0
    sold: int = 0
    refunded: int = 0
    names: dict[LineName, int] = msgspec.field(default_factory=dict)


class Choices(NamedTuple):
    """What the one who imports has decided: the format, names for the file's columns, the store of orders without one,
    the condition of refunded goods, which products its names are, whether unknown lines are lines without stock, and
    whether money is booked on the day of the order."""

    form: OrderFormat | None = None
    columns: str | None = None
    store: str | None = None
    restock: str = "good"
    names: NameMap | None = None
    custom_lines: bool = False
    post_on_order_date: bool = False


NO_CHOICES = Choices()


class _Sent(NamedTuple):
    item: FileOrder | FileReturn | FileFacts
    future: Future[Any]
    size: int


def import_orders(
    shop: Holdfast,
    actor: Actor,
    organisation: OrganisationRow,
    file: TextIO,
    choices: Choices = NO_CHOICES,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _: None,
    rows: Rows | None = None,
) -> OrdersOutcome:
    """Take the orders of a file.

    With `dry_run` all of it happens to a copy of the organisation, which needs room for that in the temporary folder.
    """
    if dry_run:
        with copy_of(shop, actor.org_id) as copy:
            return import_orders(copy, actor, organisation, file, choices, progress=progress, rows=rows)
    named = {} if choices.columns is None else columns_said(choices.columns)
    table = read_table(file, NUMBERS | {header for header, field in named.items() if field in NUMBERS})
    if named:
        table = with_columns(table, named)
    form = recognised(table, OrderFormat.HOLDFAST if named else choices.form)
    place = None if choices.store is None else _store_called(shop, actor, choices.store)
    if form is OrderFormat.RETAIL and place is None:
        place = _only_store(shop, actor)
    taking = _Taking(shop, actor, organisation, place, choices, progress, rows or Rows())
    context = Context(
        organisation.currency,
        organisation.minor_digits,
        place.code if place else None,
        choices.restock,
        organisation.timezone if place is None else place.timezone,
        choices.post_on_order_date,
    )
    items = reader_of(form)(table, context)
    try:
        while part := list(islice(items, PART_ORDERS)):
            taking.take(part)
        taking.finish()
    finally:
        taking.sold.close()
    return taking.outcome


def _store_called(shop: Holdfast, actor: Actor, name: str) -> StoreRow:
    known = stores_of(shop, actor)
    for row in known:
        if folded(name) == row.code or name.lower() == row.id:
            return row
    raise FileRefused(f"There is no store {name[:80]!r}; there is {', '.join(row.code for row in known)}.")


def _only_store(shop: Holdfast, actor: Actor) -> StoreRow:
    known = stores_of(shop, actor)
    if len(known) != 1:
        raise FileRefused(f"Name the shop with --store: there is {', '.join(row.code for row in known)}.")
    return known[0]


class _Taking:
    """A file's orders on their way: what was sent, what was answered."""

    def __init__(
        self,
        shop: Holdfast,
        actor: Actor,
        organisation: OrganisationRow,
        store: StoreRow | None,
        choices: Choices,
        progress: Progress,
        rows: Rows,
    ) -> None:
        self.shop = shop
        self.actor = actor
        self.digits = organisation.minor_digits
        self.store = store
        self.progress = progress
        self.rows = rows
        self.outcome = OrdersOutcome().told_to(rows)
        self.sold = Sold()
        self._stores = stores_of(shop, actor)
        self._locations = locations_of(shop, actor)
        self._products = FileProducts(
            shop, actor, choices.names or NameMap(), self.outcome.names, custom_lines=choices.custom_lines
        )
        self._sent: deque[_Sent] = deque()
        self._size = 0
        self._documents: dict[str, int] = {}

    def take(self, items: list[Item]) -> None:
        """Send the items; those that cannot be are named."""
        self._products.look_up(items)
        for item in items:
            if isinstance(item, Unread):
                self.outcome.refuse(item.line, item.words, last_line=item.line + item.rows - 1)
                self.progress(item.rows)
                continue
            if isinstance(item, Passed):
                self.outcome.skip(item.line, last_line=item.line + item.rows - 1)
                self._tell(item.line, item.words)
                self.progress(item.rows)
                continue
            if self.rows.is_done(item.line, item.name) and not _is_of_retail(item):
                self.progress(len(item.rows))
                continue
            try:
                if isinstance(item, FileOrder):
                    item = self._products.mapped(item)
                self._test(item)
                self._send(item)
            except BadLine as bad:
                self._refuse(item, str(bad))
                self.progress(len(item.rows))

    def finish(self) -> None:
        """Wait for what is on its way."""
        while self._sent:
            self._answered()

    # Before ----------------------------------------------------------------------------------------------------------

    def _test(self, item: FileOrder | FileReturn | FileFacts) -> None:
        """Refuse what names something that is not there; all of it is named, up to a few."""
        wrong: list[str] = []
        if isinstance(item, FileOrder):
            for line, asked in zip(item.rows, item.command.lines, strict=True):
                words = self._wrong(asked)
                if words is not None:
                    wrong.append(f"{words} (line {line})" if line != item.line else words)
            store = item.command.store_id
            if store is not None and folded(store) not in {row.code for row in self._stores}:
                wrong.append(f"store {store!r} does not exist")
        else:
            for row in item.rows:
                if self._products.of(row.sku) is None:
                    wrong.append(f"product {row.sku!r} does not exist (line {row.line})")
        if wrong:
            more = f", and {len(wrong) - NAMED_SKUS_MAX} more" if len(wrong) > NAMED_SKUS_MAX else ""
            raise BadLine(", ".join(wrong[:NAMED_SKUS_MAX]) + more + ".")

    def _wrong(self, asked: OrderedLine) -> str | None:
        if asked.product is None:
            return None
        product = self._products.of(asked.product)
        if product is None:
            return f"product {asked.product!r} does not exist"
        for number in (asked.quantity, asked.fulfilled, asked.returned):
            if product.units(number) is None:
                return f"quantity {number} of {product.sku} has more than {product.precision} decimal places"
        if not asked.quantity:
            return f"the quantity of {product.sku} is 0"
        if asked.location is not None and folded(asked.location) not in self._locations:
            return f"location {asked.location!r} does not exist"
        return None

    # Sending ---------------------------------------------------------------------------------------------------------

    def _send(self, item: FileOrder | FileReturn | FileFacts) -> None:
        size = len(item.rows)
        while self._sent and self._size + size > PIECES * self.rows.piece:
            self._answered()
        if isinstance(item, FileOrder):
            named: dict[str, Any] = {} if _is_of_retail(item) else self.rows.key(item.line, item.name)
            render = self.rows.render(partial(_row, item, self.digits))
            future = self.shop.submit(self.actor, item.command, render=render, **named)
        else:
            if isinstance(item, FileReturn):
                if item.customer is not None:
                    self._wait_for(item.customer)
                commands = self._brought_back(item)
            else:
                commands = self._facts(item)
            if not commands:
                self._note(item, ("there is nothing to count: its products have no stock.",))
                self.progress(size)
                return
            key, said = self._identity(item)
            render = self.rows.render(partial(_row, item, self.digits)) or (lambda _: b"{}")
            future = self.shop.submit(self.actor, CommandGroup(commands), key=key, fingerprint=said, render=render)
        self._sent.append(_Sent(item, future, size))
        self._size += size

    def _identity(self, item: FileReturn | FileFacts) -> tuple[str, str]:
        """The idempotency key of a document and what it says: neither knows where in the file its rows stand."""
        document = f"{type(item).__name__}\0{item.number}"
        which = self._documents[document] = self._documents.get(document, 0) + 1
        rows = sorted(repr(row._replace(line=0)) for row in item.rows)
        key = hashlib.sha256(f"{document}\0{which}".encode()).hexdigest()
        return f"import-orders:{key}", hashlib.sha256("\0".join(rows).encode()).hexdigest()

    def _wait_for(self, customer: str) -> None:
        """A return needs the sales of its customer that are still on their way."""
        while any(isinstance(sent.item, FileOrder) and sent.item.command.customer == customer for sent in self._sent):
            self._answered()

    def _brought_back(self, item: FileReturn) -> tuple[Any, ...]:
        """The returns of the sales that the goods came from, and of the rest one without a sale."""
        assert self.store is not None
        of_sales: dict[str, list[ReturnedLine]] = {}
        blind: list[BlindLine] = []
        for row in item.rows:
            left = row.quantity
            parts = [] if item.customer is None else self.sold.take(item.customer, row.sku, row.unit_price, left)
            for part in parts:
                of_sales.setdefault(part.sale_id, []).append(ReturnedLine(part.line_id, part.units))
                left -= part.units
            if left:
                blind.append(BlindLine(row.sku, left, row.unit_price, as_priced=True))
        commands: list[Any] = [ReturnSale(sale_id, tuple(lines), METHOD) for sale_id, lines in of_sales.items()]
        if blind:
            commands.append(ReturnBlind(self.store.id, tuple(blind), METHOD))
        return tuple(commands)

    def _facts(self, item: FileFacts) -> tuple[Any, ...]:
        place = self._shelf()
        rows = [row for row in item.rows if not self._unlimited(row.sku)]
        return tuple(AdjustStock(row.sku, place.code, row.quantity, reason=item.reason[:200]) for row in rows)

    def _unlimited(self, sku: str) -> bool:
        product = self._products.of(sku)
        return product is not None and product.unlimited

    def _shelf(self) -> Location:
        """Where the store sells from first."""
        assert self.store is not None
        places = [place for place in self._locations.values() if place.store_id == self.store.id and place.sellable]
        if not places:
            raise BadLine(f"the store {self.store.code} has no location that sells.")
        return min(places, key=lambda place: (place.priority, place.code))

    # After -----------------------------------------------------------------------------------------------------------

    def _answered(self) -> None:
        item, future, size = self._sent.popleft()
        self._size -= size
        reply = future.result()
        answer = reply.answer
        if isinstance(answer, Rejected):
            taken = answer.code is Code.IDEMPOTENCY_KEY_REUSED
            self._refuse(item, "it was taken before, with other rows." if taken else _detail(item, answer))
        elif isinstance(item, FileOrder):
            self.rows.answered(reply, partial(_row, item, self.digits))
            if answer is not None:
                self._order_answered(item, answer)
        elif reply.replayed:
            self.outcome.skip(item.line, item.name, _last_line(item))
        elif isinstance(item, FileReturn):
            self.rows.answered(reply, partial(_row, item, self.digits))
            self.outcome.returns += 1
            self.outcome.refunded += sum(minor_of(made.refund_total, self.digits) for made in answer)
        else:
            self.rows.answered(reply, partial(_row, item, self.digits))
            self.outcome.adjustments += 1
        self.progress(size)

    def _order_answered(self, item: FileOrder, taken: ImportedOrder) -> None:
        outcome, command = self.outcome, item.command
        if taken.brought == "added":
            outcome.added += 1
            if taken.status != "cancelled":
                stated = taken.stated_total if taken.unmapped else None
                outcome.sold += minor_of(stated or taken.total, self.digits)
        elif taken.brought == "changed":
            outcome.changed += 1
        else:
            outcome.skipped += 1
        refunded = minor_of(taken.refunded, self.digits)
        if refunded:
            outcome.returns += 1
            outcome.refunded += refunded
        if command.source == RETAIL and command.customer is not None:
            bought = [
                (line.product, line.unit_price or "", taken.sale_id, line_id, int(line.quantity))
                for line, line_id in zip(command.lines, taken.line_ids, strict=True)
                if line_id is not None and line.product is not None
            ]
            self.sold.add(command.customer, bought)
        for word in _contradictions(command, taken):
            self._note(item, (word,))
        news = taken.brought != "unchanged"
        if news:
            self._note(item, item.notes)
        for short in taken.waiting if news or taken.owing else ():
            outcome.waiting += 1
            self._note(item, (f"{short.quantity} of {short.sku} wait for stock.",), item.rows[short.index])
        if taken.money_off is not None:
            self._note(item, (f"{taken.money_off} were refunded beside goods: booked as money off.",))
        if taken.unbooked is not None:
            self._note(item, (f"{taken.unbooked.amount} were refunded; not booked: {taken.unbooked.reason}.",))
        if taken.pending:
            self._note(item, ("what came back is taken back when the rest of the order has gone out.",))
        for place in taken.unmapped:
            outcome.unmapped += 1
            name = item.names[place].words if item.names else "a line"
            self._note(item, (f"{name!r} waits: which product it is has to be said in a --map.",), item.rows[place])
        if news and taken.difference is not None and taken.status != "cancelled":
            words = f"{taken.difference} of its total {taken.stated_total} is explained by nothing else in the file."
            self._note(item, (words,))

    def _note(self, item: FileOrder | FileReturn | FileFacts, words: tuple[str, ...], line: int | None = None) -> None:
        for one in words:
            self._tell(line or item.line, f"{item.name}: {one}")

    def _tell(self, line: int, words: str) -> None:
        self.outcome.note(line, words)

    def _refuse(self, item: FileOrder | FileReturn | FileFacts, words: str) -> None:
        words = f"{item.name} is not taken: {words}"
        self.outcome.refuse(item.line, words, subject=item.name, last_line=_last_line(item))


def _is_of_retail(item: FileOrder | FileReturn | FileFacts) -> bool:
    """Is it an order of the retail data set? Its returns need its lines, so what it came to is asked again."""
    return isinstance(item, FileOrder) and item.command.source == RETAIL


def _last_line(item: FileOrder | FileReturn | FileFacts) -> int:
    """The last row of a document of the file."""
    lines = item.rows if isinstance(item, FileOrder) else [row.line for row in item.rows]
    return max(item.line, *lines) if lines else item.line


def _row(item: FileOrder | FileReturn | FileFacts, minor_digits: int, answer: Any) -> FileRow:
    """What became of a document of the file: how an order is taken back, and why others are not."""
    where: dict[str, Any] = {"line": item.line, "subject": item.name, "last_line": _last_line(item)}
    if isinstance(item, FileOrder):
        made = (Made("sale", answer.sale_id),)
        words = f"{answer.total}, {answer.status}"
        left: dict[str, Any] = {"waiting": len(answer.waiting), "unmapped": len(answer.unmapped)}
        if answer.brought == "added":
            undo = {"kind": "sale", "id": answer.sale_id, "status": answer.status}
            return FileRow(state="added", detail=words, made=made, undo=undo, **where, **left)
        return FileRow(state=answer.brought, detail=words, made=made, **where, **left)
    if isinstance(item, FileReturn):
        total = from_minor(sum(minor_of(made.refund_total, minor_digits) for made in answer), minor_digits)
        back = tuple(Made("return", one.id) for one in answer)
        return FileRow(state="added", detail=f"{total} refunded", made=back, **where)
    return FileRow(state="added", detail=item.reason, made=tuple(Made("entry", one.id) for one in answer), **where)


def _contradictions(command: ImportOrder, taken: ImportedOrder) -> Iterator[str]:
    """What the file says of an order and the shop says otherwise, in words: said each time, until one of them gives."""
    if taken.stays_sold:
        yield STAYS_SOLD
    if taken.taken_up:
        yield TAKEN_UP
    if taken.status == "cancelled" and not command.cancelled:
        yield STAYS_CANCELLED
    if taken.owing and taken.status == "completed":
        yield SOLD_LESS


def _detail(item: FileOrder | FileReturn | FileFacts, refused: Rejected) -> str:
    """What the core said, with the line of the file that it is about."""
    lines = refused.numbers.get("lines")
    if not isinstance(item, FileOrder) or not lines:
        return refused.detail
    row = item.rows[lines[0]["index"]]
    return f"{refused.detail} (line {row})" if row != item.line else refused.detail


def amount_text(amount: int, organisation: OrganisationRow) -> str:
    """An amount in minor units as the organisation reads it."""
    return f"{from_minor(amount, organisation.minor_digits)} {organisation.currency}"
