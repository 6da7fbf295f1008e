"""Exchange: goods come back and others go out, on one receipt, with one tender of the difference.

    a mug for 9.90 comes back, a pot for 25.00 goes out     -> 15.10 are paid
    the pot comes back, the mug goes out                    -> 15.10 go back
    the same for the same                                   -> no money moves

What is due for the goods that come back pays for the new ones by a payment `exchange`: it stands for the returns, and
knows how their goods had been paid, so that a later refund goes back by those methods. Only what is left of it goes
back as money. Everything is one command: all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.core.records.field import PayMethod
from holdfast.core.records.number import from_minor
from holdfast.core.records.proportion import allocate
from holdfast.core.records.rejection import Code, Refused, malformed
from holdfast.core.records.sale import Sale
from holdfast.core.records.totals import Method, Payment
from holdfast.core.sales.refunds import RefundRequest, Way
from holdfast.core.sales.return_record import Return, ReturnDocument
from holdfast.core.sales.returns import Brought, ReturnedLine, bring_back, described
from holdfast.core.stock.posting import Stock

RETURNS_MAX = 20
"""Most sales of which goods come back in one exchange."""


class ExchangedSale(msgspec.Struct, frozen=True, gc=False):
    """Goods of a sale that come back for those that are sold now."""

    sale_id: str
    lines: tuple[ReturnedLine, ...]


class Exchanged(msgspec.Struct, frozen=True, gc=False):
    """What comes back in exchange, and how what is too much of it goes back: by `method`, or as `requests` say."""

    sales: tuple[ExchangedSale, ...]
    method: PayMethod | None = None
    requests: tuple[RefundRequest, ...] | None = None
    code: str | None = None


class Credit(msgspec.Struct, frozen=True, gc=False):
    """Goods that came back, what is due for them (minor units), and how what is too much of it goes back."""

    brought: tuple[Brought, ...] = ()
    method: str | None = None
    requests: tuple[RefundRequest, ...] | None = None
    code: str | None = None

    @property
    def amount(self) -> int:
        """What new goods can be paid with."""
        return sum(one.credit for one in self.brought)


def take_in(stock: Stock, exchanged: Exchanged | None) -> Credit:
    """The goods come back. Each sale is named once, for what is due of it is known once."""
    if exchanged is None or not exchanged.sales:
        return Credit()
    names = [one.sale_id for one in exchanged.sales]
    if len(set(names)) < len(names):
        raise malformed("returns", "names a sale twice: put its lines together.")
    if len(names) > RETURNS_MAX:
        raise malformed("returns", f"has more than {RETURNS_MAX} sales.")
    brought = stock.each(exchanged.sales, lambda _, one: bring_back(stock, one.sale_id, one.lines))
    return Credit(tuple(brought), exchanged.method, exchanged.requests, exchanged.code)


def payment_in_goods(credit: Credit, due: int) -> tuple[Payment, ...]:
    """What of `due` (minor units) the goods pay for."""
    used = min(credit.amount, max(due, 0))
    return (Payment("exchange", used),) if used else ()


def pay_out(
    stock: Stock, sale: Sale, credit: Credit, payments: tuple[Payment, ...]
) -> tuple[tuple[Payment, ...], list[Return]]:
    """Keep the returns; what the new sale does not use of their credit goes back as money.

    Answers the payments (the `exchange` one with its returns, and how their goods had been paid) and the returns.
    """
    used = sum(payment.amount for payment in payments if payment.method == "exchange")
    _refuse_unsaid(stock, credit, used)
    left = used
    shares = []
    for one in credit.brought:
        part = min(one.credit, left)
        left -= part
        shares.append(part)
    rest = [one.credit - part for one, part in zip(credit.brought, shares, strict=True)]
    if credit.requests is not None and sum(amount > 0 for amount in rest) > 1:
        raise malformed("refunds", "cannot be shared by several sales: say one method in `refund`.")
    sources: dict[Method, int] = {}
    made = []
    for one, part, over in zip(credit.brought, shares, rest, strict=True):
        for method, amount in _sources(one, part):
            sources[method] = sources.get(method, 0) + amount
        way = Way(
            method=credit.method or "other",
            requests=credit.requests if over else None,
            code=credit.code if over else None,
            credit=part,
            exchanged_for=sale.id,
        )
        made.append(one.pay_back(stock, way))
    returns = tuple(one.id for one in made)
    known = tuple((method, amount) for method, amount in sources.items() if amount)
    told = tuple(
        msgspec.structs.replace(payment, returns=returns, of=known) if payment.method == "exchange" else payment
        for payment in payments
    )
    return told, made


def _refuse_unsaid(stock: Stock, credit: Credit, used: int) -> None:
    """Refuse to guess how what is too much goes back."""
    over = credit.amount - used
    if over and credit.method is None and credit.requests is None:
        digits = stock.settings.minor_digits
        words = f"{from_minor(over, digits)} go back: say by which method in `refund`."
        raise Refused(Code.PAYMENT_MISMATCH, words, {"field": "refund", "due": from_minor(-over, digits)})


def _sources(one: Brought, amount: int) -> Sequence[tuple[Method, int]]:
    """How goods that pay for `amount` had been paid themselves."""
    kept = {method: part for method, part in one.sale.kept_by_method().items() if part > 0}
    if not kept or not amount:
        return ()
    return list(zip(kept, allocate(amount, list(kept.values())), strict=True))


def described_returns(stock: Stock, made: Sequence[Return]) -> list[ReturnDocument]:
    """The public shape of what came back."""
    return [described(stock, one) for one in made]
