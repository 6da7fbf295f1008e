"""What an order says went back of its money: goods that came back, and money off beside them (docs/how-to/import.md).

    1 of 2 mugs came back                                -> its share is refunded, by the method that paid
    10.00 went back beside goods                         -> money off: every line bears its proportion, revenue and tax
    30.00 went back in all, goods for 20.00 among it     -> 20.00 for the goods, and 10.00 are money off
    15.00 went back in all, goods for 20.00 among it     -> 15.00 for the goods; the shop there kept 5.00
    10.00 went back, and the order still has to go out   -> it waits until the rest has gone out

A file tells how an order stands, again and again: what was refunded here already is not refunded again. What cannot be
booked is no reason to refuse the order; the answer says how much, and why. It refuses to guess for what money went
back.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.number import from_minor, to_minor
from holdfast.core.records.rejection import Code, Refused, RefusedOutright
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import COMPLETED
from holdfast.core.records.totals import NO_MONEY
from holdfast.core.sales.payments import with_settled
from holdfast.core.sales.refunds import LineRefunds, RefundRequest, Way, returns_before
from holdfast.core.sales.return_record import Return, ReturnDocument
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, bring_back, give_money_off
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import lines_of

replace = msgspec.structs.replace

REASON = "Refunded where it was sold"
"""Why money was given off, as its return says it."""

WAITS = "it is booked when the rest of the order has gone out"
NEVER = "the order is cancelled, and what did not go out was never booked"
NOTHING_LEFT = "no more is left of the order here"
"""Why something that went back is not booked."""


class OrderRefund(msgspec.Struct, frozen=True, gc=False):
    """What went back of an order where it was sold, as a decimal string: beside goods that came back, or `in_all`."""

    amount: str
    in_all: bool = False


class RefundLeft(msgspec.Struct, frozen=True, gc=False):
    """What went back there and could not be booked, as a decimal string, and why."""

    amount: str
    reason: str


class BookedRefund(msgspec.Struct, frozen=True, gc=False):
    """What was booked now: `refunded` minor units in all, `off` of them beside goods; None: nothing came back. `made`
    are the ids of the returns."""

    refunded: int | None = None
    off: int = 0
    unbooked: RefundLeft | None = None
    made: tuple[str, ...] = ()


def stated_refund(stock: Stock, said: OrderRefund | None) -> int:
    """What went back, in minor units; nothing said is nothing."""
    if said is None:
        return 0
    amount = to_minor(said.amount, stock.settings.minor_digits)
    if amount is None or amount < 0:
        words = f"refunded {said.amount[:40]!r} is no amount such as {from_minor(1999, stock.settings.minor_digits)}."
        raise Refused(Code.INVALID_AMOUNT, words, {"field": "refunded"})
    return amount


def kept_on_sale(stock: Stock, sale: Sale, said: OrderRefund | None) -> Sale:
    """The sale, which says what went back where it was sold; it is kept where that is news."""
    amount = stated_refund(stock, said)
    if sale.stated is None or amount in (0, sale.stated.refunded):
        return sale
    sale = replace(sale, stated=replace(sale.stated, refunded=amount), updated_at=max(stock.now, sale.updated_at))
    stock.put_row(sale)
    return sale


def refund_order(
    stock: Stock,
    sale: Sale,
    parts: tuple[ReturnedLine, ...],
    said: OrderRefund | None,
    *,
    method: str | None,
    cancelled: bool,
) -> BookedRefund:
    """Book what went back since: the goods of `parts`, and the money. `method` paid the order, None: not known."""
    amount, digits = stated_refund(stock, said), stock.settings.minor_digits
    in_all = said is not None and said.in_all and amount > 0
    back = BookedRefund()
    if parts:
        room = max(amount - with_settled(stock, sale).refunded, 0) if in_all else None
        goods = _goods_back(stock, sale, parts, _method(sale, method), room)
        back = BookedRefund(goods.refund_total, made=(goods.id,))
    if not amount:
        return back
    sale = _current(stock, sale)
    known = with_settled(stock, sale).refunded
    if not in_all:
        known = sum(line.refund for made in returns_before(stock, sale) for line in made.lines if not line.units)
    if amount <= known:
        return back
    if cancelled or sale.status != COMPLETED:
        waits = sale.unfinished and not cancelled
        return replace(back, unbooked=RefundLeft(from_minor(amount - known, digits), WAITS if waits else NEVER))
    given, unbooked = _money_off(stock, sale, amount - known, _method(sale, method))
    if given is None:
        return replace(back, unbooked=unbooked)
    off = to_minor(given.refund_total, digits)
    assert off is not None
    return BookedRefund((back.refunded or 0) + off, off, unbooked, (*back.made, given.id))


def _goods_back(stock: Stock, sale: Sale, parts: tuple[ReturnedLine, ...], method: str, room: int | None) -> Return:
    """Goods come back with what is due for them; with no more than the `room` that the order's own amount leaves."""
    brought = bring_back(stock, sale.id, parts)
    way = Way(method)
    if room is not None and room < brought.exact - min(brought.exact, brought.sale.owed):
        way = Way(method, (RefundRequest(method, from_minor(room, stock.settings.minor_digits)),))
    return brought.pay_back(stock, way)


def _money_off(stock: Stock, sale: Sale, amount: int, method: str) -> tuple[ReturnDocument | None, RefundLeft | None]:
    """Give `amount` minor units off, as far as so much is left of the sale: (what was given, what was not)."""
    digits = stock.settings.minor_digits
    left = min(amount, _left(stock, sale, lines_of(stock, sale)))
    if not left:
        return None, RefundLeft(from_minor(amount, digits), NOTHING_LEFT)
    mark = stock.mark()
    try:
        given = give_money_off(stock, MoneyOff(sale.id, from_minor(left, digits), REASON, method))
    except RefusedOutright:
        raise
    except Refused as no:
        stock.undo(mark)
        return None, RefundLeft(from_minor(amount, digits), no.rejected.detail)
    return given, RefundLeft(from_minor(amount - left, digits), NOTHING_LEFT) if left < amount else None


def _left(stock: Stock, sale: Sale, lines: list[SaleLine]) -> int:
    """What of the sale was not refunded yet, in minor units."""
    refunds = LineRefunds(sale, lines, returns_before(stock, sale), 0)
    return sum(refunds.left(line)[0] for line in lines)


def _method(sale: Sale, asked: str | None) -> str:
    """By which method money goes back: the one that is asked for if the sale was paid by it, else one that paid it."""
    paid = [method for method, amount in sale.kept_by_method().items() if amount > 0 and method not in NO_MONEY]
    paid = [method for method in paid if method != "gift_card"]
    if asked is not None and (asked in paid or not paid):
        return asked
    return paid[0] if paid else "other"


def _current(stock: Stock, sale: Sale) -> Sale:
    now = stock.row(Sale, sale.id)
    assert now is not None
    return now
