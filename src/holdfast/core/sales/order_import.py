"""Orders that were taken elsewhere: facts, brought to the state that a file or a channel describes.

The problem. A channel or a file does not tell what happened, it tells how an order stands: how much was ordered, has
gone out, came back, and whether it was cancelled. It tells so again and again, sometimes late, and after things were
done to the order here. Goods that have left cannot be refused, whatever stock says. And an order that is brought twice
must not be sold twice.

A worked example. MAIN has 2 mugs at 9.90. Order #1002 of 3 mugs is brought five times.

    3 ordered                         -> added: suspended, 2 held, 1 waits
    3 fulfilled                       -> changed: 2 are shipped, 1 waits still; the order is `owing`
    3 fulfilled again                 -> unchanged
    5 come in; 3 fulfilled again      -> changed: the third is shipped, the sale is completed with 29.70; 4 are left
    1 of them returned                -> changed: 9.90 is refunded, 5 are on the shelf

The decision. One command, one transaction: an order is taken as a whole or not at all. The sale is found by its source
and number, or by its other number there (`external_id`). Then the difference between what is described and what stands
here is worked off in one order: ship what has gone out and is backed; complete the sale when that is everything; cancel
it when it is said to be cancelled and owes nothing; take back what came back. An order all of which has gone out is
sold from the shelf, without a hold in between, where stock covers it. Nothing is refused for want of stock: what is not
there waits, and the answer names it. What an order says of lines that are here with other products or quantities is
refused, because then it is another order.

Two things do not go backwards. A cancellation brings nothing back: where more was sold here than the order says went
out, the sale `stays_sold`. And goods that have left bring a cancelled sale back: an order that was cancelled here and
has gone out is taken up again (`taken_up`), and sold.

What an order states of its money is a fact (`order_facts`). A line whose product is not known here waits (`unmapped`),
and the order with it; the others go on. Brought again with its product, the line is one of the sale.

What was left out. Once the order is here, only its state is taken from it: no other prices, fees or customer. A return
of a sale that is not completed waits until it is (`pending`); money that went back is in `order_refunds`. See
docs/how-to/import.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import TenderMethod
from holdfast.core.records.number import Number, from_minor
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Refused, invalid_quantity, malformed, not_found
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import CANCELLED, COMPLETED, OPEN, SHIPPED
from holdfast.core.records.time import day_at
from holdfast.core.reservations.adoption import adopt, loose_holds, numbers_of, release_loose, sale_of_order
from holdfast.core.sales.cart import CancelSale, add_lines, open_sale, suspend
from holdfast.core.sales.checkout import paid_elsewhere, sell_outright
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine, cancel_sale, complete_sale, fulfill
from holdfast.core.sales.lines import rated, receipt_if_any
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, OpenSale
from holdfast.core.sales.order_facts import Description, OrderedLine, OrderFacts, quantity_text
from holdfast.core.sales.order_mapping import mapped, request_of
from holdfast.core.sales.order_refunds import BookedRefund, OrderRefund, RefundLeft, kept_on_sale, refund_order
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import ReturnedLine
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.core.stock.backorders import seek
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import find_sale, holds_of, lines_of, product_of_line

__all__ = ["DECISIONS", "ImportOrder", "ImportedOrder", "OrderedLine", "Waiting", "import_order"]

replace = msgspec.structs.replace

Outcome = Literal["added", "changed", "unchanged"]


class ImportOrder(Command, frozen=True, gc=False):
    """An order as it stands where it was taken. `payment` is the method by which it was paid, None when it was not.

    `external_id` is another number that the order has there, by which holds may have been made for it. `facts` is its
    money where that is stated, `ordered_at` when it was ordered (microseconds since 1970), `refunded` what went back of
    it there. With `post_on_order_date` its money is booked on that day, unless the books are closed then. What went
    back is booked on the day of `refunded_at`; without one, on that of an order that comes with it.
    """

    order_number: str
    source: str
    lines: tuple[OrderedLine, ...]
    store_id: str | None = None
    customer: str | None = None
    discount: str | None = None
    fees: tuple[FeeRequest, ...] = ()
    cancelled: bool = False
    payment: TenderMethod | None = None
    external_id: str | None = None
    facts: OrderFacts | None = None
    ordered_at: int | None = None
    post_on_order_date: bool = False
    refunded: OrderRefund | None = None
    refunded_at: int | None = None


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """Units of a line that stock does not back."""

    index: int
    sku: str
    quantity: int | float


class ImportedOrder(msgspec.Struct, frozen=True, gc=False):
    """What became of an order; `line_ids` in its order (None: only cancelled units), `pending` lines wait to come back
    until the sale is finished. `stays_sold`: it is said to be cancelled, but more of it was sold here than it says went
    out, and a cancellation brings nothing back. `taken_up`: it was cancelled here, but has gone out, so it is not any
    more. `owing`: more has gone out than is sold here, since stock does not cover it or the sale is finished.
    `unmapped` are the places of the lines that wait until their product is known; the `total` of the sale is without
    them, `stated_total` is the order's own with them, and `difference` what of it nothing but it explains.
    `money_off` is what of `refunded` was for no goods, `unbooked` what went back there and could not be booked."""

    sale_id: str
    number: str
    brought: Outcome
    status: str
    total: str
    refunded: str
    line_ids: tuple[str | None, ...]
    waiting: tuple[Waiting, ...]
    pending: int
    stays_sold: bool
    taken_up: bool = False
    owing: bool = False
    unmapped: tuple[int, ...] = ()
    stated_total: str | None = None
    difference: str | None = None
    money_off: str | None = None
    unbooked: RefundLeft | None = None


def import_order(stock: Stock, command: ImportOrder) -> ImportedOrder:
    """Decide an ImportOrder."""
    if not command.lines:
        raise malformed("lines", "an order has a line at least.")
    sale = _known(stock, command)
    known, was = sale is not None, None if sale is None else sale.status
    first_entry, waited = len(stock.entries), None if sale is None else sale.unmapped
    sale = _opened(stock, command) if sale is None else _rejoined(stock, sale, command)
    lines = _matched(stock, sale, command)
    before = first_entry, waited, sale.status, sale.fulfillments
    _send_out(stock, sale, command, lines)
    sale = _current(stock, sale)
    if command.cancelled and sale.unfinished and not _owing(stock, sale, command, lines):
        cancel_sale(stock, CancelSale(sale.id))
    kept_on_sale(stock, _current(stock, sale), command.refunded)
    back, pending = _bring_back(stock, _current(stock, sale), command, lines)
    _supplied(stock, command, lines)
    sale = _current(stock, sale)
    changed = (len(stock.entries), sale.unmapped, sale.status, sale.fulfillments) != before or back.refunded is not None
    digits = stock.settings.minor_digits
    if command.post_on_order_date:
        _date(stock, sale, back, command.refunded_at or (None if known else sale.ordered_at))
    stated = sale.stated
    return ImportedOrder(
        sale_id=sale.id,
        number=sale.number,
        brought="added" if not known else "changed" if changed else "unchanged",
        status=sale.status,
        total=from_minor(sale.total, digits),
        refunded=from_minor(back.refunded or 0, digits),
        line_ids=tuple(_kept_id(stock, line) for line in lines),
        waiting=_waiting(stock, sale, lines),
        pending=pending,
        stays_sold=command.cancelled and _out_beyond(stock, command, lines),
        taken_up=was == CANCELLED and sale.status != CANCELLED,
        owing=_owing(stock, sale, command, lines),
        unmapped=tuple(line.position for line in sale.unmapped or ()),
        stated_total=None if stated is None else from_minor(stated.total, digits),
        difference=from_minor(stated.difference, digits) if stated and stated.difference else None,
        money_off=from_minor(back.off, digits) if back.off else None,
        unbooked=back.unbooked,
    )


def _date(stock: Stock, sale: Sale, back: BookedRefund, refunded_at: int | None) -> None:
    """The money of the order moves on the day of the order, and what went back on that of `refunded_at`."""
    if sale.ordered_at is not None:
        stock.date_money("SALE", sale.id, day_at(sale.ordered_at, _timezone(stock, sale)))
    if refunded_at is not None:
        for return_id in back.made:
            stock.date_money("RETURN", return_id, day_at(refunded_at, _timezone(stock, sale)))


def _timezone(stock: Stock, sale: Sale) -> str:
    """By whose calendar the sale was made: the store's, or the organisation's where there is none."""
    store = None if sale.store_id is None else stock.catalog.stores.get(sale.store_id)
    return stock.settings.timezone if store is None else store.timezone


def _owing(stock: Stock, sale: Sale, command: ImportOrder, lines: list[SaleLine | None]) -> bool:
    """Has more gone out than is sold here? Until stock covers it, and it is known what it is, the sale waits with it,
    cancelled or not."""
    if any(command.lines[line.position].fulfilled for line in sale.unmapped or () if line.position < len(lines)):
        return True
    for asked, matched in zip(command.lines, lines, strict=True):
        line = None if matched is None else stock.row(SaleLine, matched.id)
        if line is None or line.removed:
            continue
        if (product_of_line(stock, line).units(asked.fulfilled) or 0) > line.fulfilled:
            return True
    return False


def _known(stock: Stock, command: ImportOrder) -> Sale | None:
    """The sale that the order is already, if it was taken before."""
    name = sale_of_order(stock, command.source, *_numbers(command))
    return None if name is None else find_sale(stock, name)


def _numbers(command: ImportOrder) -> tuple[str, ...]:
    """The numbers by which the order is known at its source."""
    return (command.order_number,) if command.external_id is None else (command.order_number, command.external_id)


def _rejoined(stock: Stock, sale: Sale, command: ImportOrder) -> Sale:
    """The sale that is there already, with what was held for the order beside it, and with the order's other number.

    One that was cancelled and has gone out after all is in the queue again, its lines held or waiting: it goes on from
    there like any other.
    """
    if sale.external_id is None and command.external_id not in (None, sale.order_number):
        sale = replace(sale, external_id=command.external_id)
        stock.put_row(sale)
        stock.know_row(sale)
    numbers = tuple(dict.fromkeys((*numbers_of(sale), *_numbers(command))))
    taken_up = sale.status == CANCELLED and any(line.fulfilled for line in command.lines)
    if taken_up:
        sale = suspend(stock, sale)
    if not sale.unfinished:
        release_loose(stock, sale.source, numbers)
        return sale
    sale = mapped(stock, sale, command.lines)
    lines = lines_of(stock, sale)
    for line, adopted in zip(lines, adopt(stock, sale, lines, numbers), strict=True):
        if adopted is not line:
            stock.put_row(adopted)
    if taken_up:
        add_lines(stock, sale, lines_of(stock, sale), fact=True)
    seek(stock)
    return sale


def _opened(stock: Stock, command: ImportOrder) -> Sale:
    """The order as a new sale: sold from the shelf when all of it has gone out and is there, else held or waiting."""
    lines = tuple(request_of(line, line.product) for line in command.lines if line.product is not None)
    asked = OpenSale(
        store_id=command.store_id,
        customer=command.customer,
        source=command.source,
        order_number=command.order_number,
        lines=lines,
        discount=None if command.discount is None else DiscountRequest(amount=command.discount),
        fees=command.fees,
        fact=True,
        external_id=command.external_id,
        said=Description(command.lines, command.facts, command.ordered_at),
    )
    all_known = len(lines) == len(command.lines)
    all_gone = all_known and not command.cancelled and all(line.fulfilled == line.quantity for line in command.lines)
    if all_gone and not loose_holds(stock, command.source, _numbers(command)):
        mark = stock.mark()
        try:
            return sell_outright(stock, asked, command.payment)
        except Refused as no:
            if no.code is not Code.INSUFFICIENT_STOCK:
                raise
        stock.undo(mark)
    opened = open_sale(stock, asked)
    assert opened.id is not None
    sale = stock.row(Sale, opened.id)
    assert sale is not None
    return sale


def _current(stock: Stock, sale: Sale) -> Sale:
    now = stock.row(Sale, sale.id)
    assert now is not None
    return now


def _matched(stock: Stock, sale: Sale, command: ImportOrder) -> list[SaleLine | None]:
    """The sale's line of each line of the order; refused when the sale has other lines.

    After a cancellation only what was shipped is left of it: lines are gone, or cut.
    """
    at = {line.position: line for line in lines_of(stock, sale)}
    waiting = {line.position: line for line in sale.unmapped or ()}
    stock.catalog.know_products(asked.product for asked in command.lines if asked.product is not None)
    cut = command.cancelled and not sale.unfinished
    matched: list[SaleLine | None] = []
    for index, asked in enumerate(command.lines):
        line = at.pop(index, None)
        if index in waiting:
            if quantity_text(asked.quantity) != waiting.pop(index).quantity:
                raise _other_lines(command)
            matched.append(None)
            continue
        product = _product_asked(stock, asked, line)
        if product is None:
            raise _other_lines(command)
        for number in (asked.fulfilled, asked.returned):
            units = product.units(number)
            if units is None or units < 0:
                raise invalid_quantity(product, number, "0 or more")
        same = line is not None and line.product_id == product.id
        if line is not None and same and (line.quantity == product.units(asked.quantity) or cut):
            matched.append(line)
        elif line is None and cut and not asked.fulfilled:
            matched.append(None)
        else:
            raise _other_lines(command)
    if at or waiting:
        raise _other_lines(command)
    return matched


def _product_asked(stock: Stock, asked: OrderedLine, line: SaleLine | None) -> Product | None:
    """The product of a line of the order; of one that comes without its product again, that of the sale's line."""
    if asked.product is None:
        return None if line is None else product_of_line(stock, line)
    product = stock.catalog.product(asked.product)
    if product is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", asked.product)
    return product


def _kept_id(stock: Stock, line: SaleLine | None) -> str | None:
    """The line's id, unless a cancellation has taken the line away."""
    now = None if line is None else stock.row(SaleLine, line.id)
    return None if now is None or now.removed else now.id


def _other_lines(command: ImportOrder) -> Refused:
    """The sale that the order is has other lines than it."""
    words = f"Order {command.order_number} of {command.source} is there already, with other lines."
    return Refused(Code.ALREADY_EXISTS, words)


def _send_out(stock: Stock, sale: Sale, command: ImportOrder, lines: list[SaleLine | None]) -> None:
    """Ship what has gone out and is here; complete the sale when that is all of it."""
    if not sale.unfinished:
        return
    backed: dict[str | None, int] = {}
    for hold in holds_of(stock, sale):
        backed[hold.sale_line_id] = backed.get(hold.sale_line_id, 0) + hold.allocated
    parts: list[ShipLine] = []
    everything = not command.cancelled
    for asked, line in zip(command.lines, lines, strict=True):
        if line is None:  # it waits until its product is known
            everything = False
            continue
        product = product_of_line(stock, line)
        gone = product.units(asked.fulfilled) or 0
        units = min(gone - line.fulfilled, line.open)
        if line.kind == "stock":
            units = min(units, backed.get(line.id, 0))
        if units < line.open:
            everything = False
        if units > 0:
            parts.append(ShipLine(line.id, _exact(product, units)))
    if everything:
        complete_sale(stock, CompleteSale(sale.id, _paid(stock, sale, command.payment)), partly=True)
    elif parts:
        fulfill(stock, Fulfill(sale.id, tuple(parts)))


def _paid(stock: Stock, sale: Sale, method: str | None) -> tuple[PaymentRequest, ...] | None:
    """All that is due, paid by the method."""
    if method is None:
        return None
    lines = lines_of(stock, sale)
    if not sale.fulfillments:
        sale, lines = rated(stock, sale, lines)
    receipt = receipt_if_any(stock, sale, lines)
    return paid_elsewhere(stock, sale, sale.total if receipt is None else receipt.total, method)


def _bring_back(
    stock: Stock, sale: Sale, command: ImportOrder, lines: list[SaleLine | None]
) -> tuple[BookedRefund, int]:
    """Take back what came back since: (what was refunded, lines that must wait until the sale is finished)."""
    parts: list[ReturnedLine] = []
    for asked, matched in zip(command.lines, lines, strict=True):
        line = None if matched is None else stock.row(SaleLine, matched.id)
        if line is None or line.removed:
            continue
        product = product_of_line(stock, line)
        units = (product.units(asked.returned) or 0) - line.returned
        if units > 0:
            parts.append(ReturnedLine(line.id, _exact(product, units), asked.condition))
    pending = len(parts) if sale.status != COMPLETED else 0
    back = refund_order(
        stock,
        sale,
        () if pending else tuple(parts),
        command.refunded,
        method=command.payment,
        cancelled=command.cancelled,
    )
    return back, pending


def _out_beyond(stock: Stock, command: ImportOrder, lines: list[SaleLine | None]) -> bool:
    """Is more of some line out (sold, and not come back) than the order says?"""
    for asked, matched in zip(command.lines, lines, strict=True):
        line = None if matched is None else stock.row(SaleLine, matched.id)
        if line is None or line.removed:
            continue
        product = product_of_line(stock, line)
        said = (product.units(asked.fulfilled) or 0) - (product.units(asked.returned) or 0)
        if line.fulfilled - line.returned > said:
            return True
    return False


def _supplied(stock: Stock, command: ImportOrder, lines: list[SaleLine | None]) -> None:
    """What the supplier sends and has gone out (all that is left of it, after a cancellation) waits for nobody."""
    gone = {
        line.id: product_of_line(stock, line).units(asked.fulfilled) or 0
        for asked, line in zip(command.lines, lines, strict=True)
        if line is not None and line.kind == "dropship"
    }
    sale_ids = {line.sale_id for line in lines if line is not None}
    orders = [order for sale_id in sale_ids for order in stock.rows_of_sale(SupplierOrder, sale_id)] if gone else []
    for order in orders:
        if order.status == OPEN and order.quantity <= gone.get(order.line_id, 0):
            stock.put_row(replace(order, status=SHIPPED, updated_at=stock.now))


def _exact(product: Product, units: int) -> Number:
    """Smallest units as an exact number."""
    return units if product.precision == 0 else Decimal(units).scaleb(-product.precision)


def _waiting(stock: Stock, sale: Sale, lines: list[SaleLine | None]) -> tuple[Waiting, ...]:
    if not sale.unfinished:
        return ()
    short: dict[str | None, int] = {}
    for hold in holds_of(stock, sale):
        short[hold.sale_line_id] = short.get(hold.sale_line_id, 0) + hold.backordered
    found = []
    for index, line in enumerate(lines):
        if line is not None and short.get(line.id):
            product = product_of_line(stock, line)
            found.append(Waiting(index, product.sku, product.number(short[line.id])))
    return tuple(found)


DECISIONS = (Decision(ImportOrder, import_order, Permission.MANAGE),)
