"""Refunds: what money goes back for goods or for a price that was too high, and by which methods.

    bought 3 for 10.00 in all; return 1, then 2      -> 3.34, then 6.66: together exactly what was paid
    the same in cash, the smallest coin 0.05         -> 3.35, then 6.65: the nearest coin of what is due so far
    135.00, paid 55.00 by card and 80.00 in cash     -> never more than 55.00 to the card
    40.00 are owed, goods for 60.00 come back        -> 40.00 are set against that, 20.00 go back
    10.00 are due, 8.00 are given                    -> 2.00 are withheld for good: no later part gives them

A refund is a share of what was due for the line (`SaleLine.due`), never computed from prices. Money off without goods
makes what is due for the lines smaller: what comes back later is in proportion to the rest. A method gives back at most
what it took, but by who has `returns:override`. It refuses to know goods: `returns` brings them back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.field import PayMethod
from holdfast.core.records.number import from_minor, to_minor
from holdfast.core.records.proportion import allocate, cash_rounded, half_up, share_still_due, units_share
from holdfast.core.records.rejection import Code, Refused, malformed
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.tax import TaxShare, by_rate, negative, part_of, resized
from holdfast.core.records.time import instant_text
from holdfast.core.records.totals import NO_MONEY
from holdfast.core.records.wants import ReturnsOfSale
from holdfast.core.sales.gift_cards import issue, load
from holdfast.core.sales.lines import rules_of
from holdfast.core.sales.payments import refuse_cash_out, refuse_code, with_settled
from holdfast.core.sales.register import SessionTotals, add_to_session
from holdfast.core.sales.return_record import KeptLine, Refund, Return, not_too_many
from holdfast.core.sales.taxes import refundable_taxes
from holdfast.core.stock.journal import (
    COST_OF_GOODS,
    GIFT_CARDS,
    RETURNS,
    ROUNDING,
    SHRINKAGE,
    TIPS,
    own_account,
    paid_by,
    stage_money,
    tax_payable,
)
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import lines_of

replace = msgspec.structs.replace


class RefundRequest(msgspec.Struct, frozen=True, gc=False):
    """How much goes back by a method; `amount` a decimal string. `code` is the gift card that gets it; none: a new
    one."""

    method: PayMethod
    amount: str
    code: str | None = None


class Way(msgspec.Struct, frozen=True, gc=False):
    """How the money of a return goes back: all of it by `method`, or as `requests` say.

    `credit` (minor units) of it is kept for the sale `exchanged_for`: no money moves for that. `reason` is why money
    was given off.
    """

    method: str
    requests: tuple[RefundRequest, ...] | None = None
    code: str | None = None
    credit: int = 0
    exchanged_for: str | None = None
    reason: str | None = None


def returns_before(stock: Stock, sale: Sale) -> list[Return]:
    """The returns of the sale so far."""
    if not sale.refunded and not any(line.returned for line in lines_of(stock, sale)):
        return []
    if sale.id not in stock.new_ids:
        stock.require(ReturnsOfSale(sale.id))
    return not_too_many(stock.rows_of_sale(Return, sale.id))


# By line -------------------------------------------------------------------------------------------------------------


class LineRefunds:
    """What is refunded for units of the lines of a sale: what is due so far, less what was answered for the line.

    The tax of a line is its own and its share of the fees', as what was due for it has a share of the fees. Money that
    was given off without goods made what is due smaller.
    """

    def __init__(
        self, sale: Sale, lines: list[SaleLine], before: list[Return], coin: int, *, fees: bool = True
    ) -> None:
        self._sale = sale
        self._fees = fees
        self._lines = {line.id: index for index, line in enumerate(lines)}
        self._shares = refundable_taxes(sale, lines)
        totals = [max(line.total, 0) for line in lines]
        self._tips = allocate(sale.tips, totals) if sale.tips and lines else []
        charged = sale.total - sum(line.total for line in lines)
        self._charged = allocate(charged, totals) if lines else []
        # By line: answered with goods, and given off without (amount, tax); units that came back; and the (units,
        # amount, tax) at the last money off, from which on the rest is shared anew.
        self._given: dict[str | None, tuple[int, int]] = {}
        self._off: dict[str | None, tuple[int, int]] = {}
        self._units: dict[str | None, int] = {}
        self._base: dict[str | None, tuple[int, int, int]] = {}
        self._coin = coin
        for made in sorted(before, key=lambda one: (one.created_at, one.id)):
            for kept in made.lines:
                self._count(kept)

    def _count(self, kept: KeptLine) -> None:
        name = kept.line_id
        book = self._given if kept.units else self._off
        given = book.get(name, (0, 0))
        book[name] = (given[0] + kept.answered, given[1] + kept.answered_tax)
        self._units[name] = self._units.get(name, 0) + kept.units
        if not kept.units:  # what is left is shared anew by the units that are left
            self._base[name] = (self._units[name], *self._given.get(name, (0, 0)))

    def _due(self, line: SaleLine) -> tuple[int, int]:
        """(amount, tax in it) that all units of the line are worth: less what was given off."""
        off, off_tax = self._off.get(line.id, (0, 0))
        return line.due - off, sum(share.tax for share in self._shares[line.id]) - off_tax

    def left(self, line: SaleLine) -> tuple[int, int]:
        """(amount, tax in it) that was not answered yet."""
        if line.kind == "gift_card":
            return 0, 0  # it is worth what it cost
        due, tax = self._due(line)
        given, given_tax = self._given.get(line.id, (0, 0))
        return max(due - given, 0), max(tax - given_tax, 0)

    def shares(self, line: SaleLine) -> tuple[TaxShare, ...]:
        """The tax of all units of the line by rate."""
        return self._shares[line.id]

    def take(self, line: SaleLine, units: int, condition: str, loss: int, card_value: int = 0) -> KeptLine:
        """The next `units` of a line come back: what is kept of it, counted for those after it. Gift cards that came
        back were worth `card_value`."""
        reached = line.returned + units
        refunded, taxed = self._given.get(line.id, (0, 0))
        due, due_tax = self._due(line)
        units_then, given_then, tax_then = self._base.get(line.id, (0, 0, 0))
        units_left, units_back = line.quantity - units_then, reached - units_then
        refund = share_still_due(max(due - given_then, 0), units_left, units_back, refunded - given_then)
        tax = share_still_due(max(due_tax - tax_then, 0), units_left, units_back, taxed - tax_then)
        shares = self._shares[line.id]
        weights = [share.tax for share in shares]
        taxes = tuple(
            TaxShare(share.name, share.rate, _net_back(line, share, units), now - then)
            for share, now, then in zip(shares, allocate(taxed + tax, weights), allocate(taxed, weights), strict=True)
        )
        if self._off.get(line.id):
            taxes = part_of(shares, tax, refund - tax, line.due - sum(weights))
        tips = self._tips[self._lines[line.id]] if self._tips else 0
        kept = KeptLine(
            line_id=line.id,
            product_id=line.product_id,
            units=units,
            condition=condition,
            refund=refund,
            tax=tax,
            loss=loss,
            coin=self._coin,
            taxes=taxes,
            tip=units_share(tips, line.quantity, line.returned, units) if self._tips else UNSET,
            card_value=card_value or UNSET,
        )
        if not self._fees:
            kept = self._without_fees(line, kept)
        self._count(kept)
        return kept

    def _without_fees(self, line: SaleLine, kept: KeptLine) -> KeptLine:
        """The part that is refunded when the shop keeps the fees: delivery was delivered."""
        index = self._lines[line.id]
        fees = min(units_share(self._charged[index], line.quantity, line.returned, kept.units), kept.refund)
        if not fees:
            return kept
        own = [share for share in self._own_taxes(line) if share.tax or share.net]
        tax = min(sum(units_share(share.tax, line.quantity, line.returned, kept.units) for share in own), kept.tax)
        shares = resized(own, tax, kept.refund - fees - tax) if own else ()
        return replace(
            kept,
            refund=kept.refund - fees,
            tax=tax if own else 0,
            taxes=shares,
            tip=UNSET,
            withheld=fees,
            withheld_tax=kept.tax - (tax if own else 0),
        )

    def _own_taxes(self, line: SaleLine) -> tuple[TaxShare, ...]:
        return self._shares[line.id] if self._sale.tax_exempt is not None else line.tax_shares


def _net_back(line: SaleLine, share: TaxShare, units: int) -> int:
    """The net at a rate of the next `units` of a line: of its own rates what is left of its total without its tax, so
    that the nets of a report are the money; a fee's net in proportion."""

    def part(amount: int) -> int:
        return units_share(amount, line.quantity, line.returned, units)

    own = line.total - line.tax
    if not any((one.name, one.rate, one.net) == (share.name, share.rate, own) for one in line.tax_shares):
        return part(share.net)
    return part(line.total) - part(line.tax) + part(share.net - own)


# By method -----------------------------------------------------------------------------------------------------------


def pay_back(
    stock: Stock,
    cause: Cause,
    sale: Sale | None,
    store_id: str | None,
    kept: list[KeptLine],
    before: Sequence[Return],
    way: Way,
) -> Return:
    """Book what goes back for these lines, tell the drawer, and keep the return.

    What is owed of the sale comes first: it gets smaller, and no money moves. INVALID_AMOUNT: more than is left is
    asked for. PAYMENT_MISMATCH: more than the method took.
    """
    sale = None if sale is None else with_settled(stock, sale)
    exact = sum(line.refund for line in kept)
    owed = 0 if sale is None else min(exact, sale.owed)
    credit = min(way.credit, exact - owed)
    carried = -sum(made.cash_rounding for made in before)
    rest = exact - owed - credit
    shares = _by_request(stock, way, rest, carried)
    withheld = rest - sum(share.exact for share in shares)
    if withheld:
        kept = _withhold(kept, withheld)
    parts = [Refund("owed", owed)] if owed else []
    parts += [Refund("exchange", credit)] if credit else []
    parts += [
        Refund(share.method, share.handed_out, card=_to_card(stock, cause, share, way))
        for share in shares
        if share.exact or share.handed_out
    ]
    parts = parts or [Refund(way.method if way.requests is None else "other", 0)]
    if sale is not None:
        for share in shares:
            _refuse_method(stock, sale, share.method, share.exact, before)
        _count_refund(stock, sale, exact - withheld, owed)
    cash = sum(part.amount for part in parts if part.method == "cash")
    if cash:
        refuse_cash_out(stock, cash)
    single = len(parts) == 1 and parts[0].card is UNSET
    assert cause.ref_id is not None
    made = Return(
        id=cause.ref_id,
        sale_id=None if sale is None else sale.id,
        store_id=store_id,
        session_id=stock.caller.session_id,
        method=parts[0].method,
        refund_total=sum(part.amount for part in parts),
        lines=tuple(kept),
        actor=stock.caller.actor,
        created_at=stock.now,
        refunds=None if single else tuple(parts),
        reason=way.reason,
        exchanged_for=way.exchanged_for,
    )
    stock.put_row(made)
    _stage_return(stock, made, "without a sale" if sale is None else f"of sale {sale.number}")
    _tell_till(stock, made, cash)
    _tell_returned(stock, made, cause.order_number)
    return made


def _to_card(stock: Stock, cause: Cause, share: _Share, way: Way) -> str | UnsetType:
    """The gift card that gets the share: the one with the code that was given, or a new one."""
    if share.method != "gift_card":
        return UNSET
    assert cause.ref_id is not None
    code = way.code if way.requests is None else next(one.code for one in way.requests if one.method == "gift_card")
    if code is not None:
        return load(stock, code, share.exact, "RETURN", cause.ref_id).id
    return issue(stock, share.exact, "RETURN", cause.ref_id, code=None, sale_id=None).id


class _Share(msgspec.Struct, frozen=True, gc=False):
    """What goes back by a method: exact, and (of cash in coins) what is handed out."""

    method: str
    exact: int
    handed_out: int


def _by_request(stock: Stock, way: Way, rest: int, carried: int) -> list[_Share]:
    """What goes back by each method of `rest`, in minor units; cash as the nearest coin of all that was due in cash so
    far.

    `carried` is what earlier cash refunds of the sale left open or (negative) gave beyond what was due: so parts never
    drift away from the whole, and where coins were paid they come back to the coin.
    """
    step = rules_of(stock).cash_rounding
    refuse_code("refund.code", way.method, way.code, needed=False)

    def coins(exact: int) -> int:
        return max(0, cash_rounded(exact + carried, step))

    if way.requests is None:
        return [_Share(way.method, rest, coins(rest) if way.method == "cash" else rest)]
    asked: dict[str, int] = {}
    for index, request in enumerate(way.requests):
        refuse_code(f"refunds.{index}.code", request.method, request.code, needed=False)
        if request.method == "gift_card" and "gift_card" in asked:
            raise malformed(f"refunds.{index}.method", "is there twice: one gift card gets all of it.")
        amount = to_minor(request.amount, stock.settings.minor_digits)
        if amount is None or amount < 0:
            words = f"{request.amount[:40]!r} is not an amount of money."
            raise Refused(Code.INVALID_AMOUNT, words, {"field": f"refunds.{index}.amount"})
        asked[request.method] = asked.get(request.method, 0) + amount
    cash = asked.pop("cash", None)
    room = rest - sum(asked.values())
    if room < 0 or (cash is not None and cash > max(room, coins(room))):
        digits = stock.settings.minor_digits
        numbers = {
            "field": "refunds",
            "requested": from_minor(sum(asked.values()) + (cash or 0), digits),
            "available": from_minor(rest, digits),
        }
        raise Refused(Code.INVALID_AMOUNT, "The refunds are more than what is left to give back.", numbers)
    shares = [_Share(method, amount, amount) for method, amount in asked.items()]
    if cash is not None:
        exact = min(cash, room)
        shares.append(_Share("cash", exact, coins(exact)))
    return shares


def _withhold(kept: list[KeptLine], amount: int) -> list[KeptLine]:
    """The lines of which the shop keeps an amount in all; their tax goes down in proportion."""
    lines = []
    for line, part in zip(kept, allocate(amount, [line.refund for line in kept]), strict=True):
        refund = line.refund - part
        tax = half_up(line.tax * refund, line.refund) if line.refund else 0
        tip = UNSET if line.tip is UNSET else min(line.tip, refund - tax)
        lines.append(
            replace(
                line,
                refund=refund,
                tax=tax,
                tip=tip,
                taxes=part_of(line.tax_shares, tax, refund - tax, line.refund - line.tax)
                if line.tax_shares
                else line.taxes,
                withheld=line.answered - line.refund + part,
                withheld_tax=line.answered_tax - tax,
            )
        )
    return lines


def _refuse_method(stock: Stock, sale: Sale, method: str, exact: int, before: Sequence[Return]) -> None:
    """Refuse a refund by a method that took less than it would give back: card money does not leave as cash.

    Who has `returns:override` may hand it out otherwise. Amounts are compared before cash is rounded to coins, so that
    another smallest coin since then changes nothing.
    """
    if stock.caller.may_refund_otherwise or not exact:
        return
    took = sale.kept_by_method().get(method, 0)  # type: ignore[call-overload] # one of Method
    given = sum(
        part.amount - (made.cash_rounding if method == "cash" else 0)
        for made in before
        for part in made.parts
        if part.method == method
    )
    left = max(0, took - given)
    if exact <= left:
        return
    digits = stock.settings.minor_digits
    raise Refused(
        Code.PAYMENT_MISMATCH,
        f"{method} can give back {from_minor(left, digits)} of this sale: more than it took needs returns:override.",
        {
            "field": "refund",
            "requested": from_minor(exact, digits),
            "available": from_minor(left, digits),
            "override_required": "manager",
        },
    )


def _count_refund(stock: Stock, sale: Sale, refunded: int, settled: int) -> None:
    """The sale knows what was refunded of it, and what of that was set against what was owed."""
    if refunded or settled:
        with stock.consequences():  # a receipt is good in every store: the sale may be another one's
            stock.put_row(
                replace(
                    sale,
                    refunded=sale.refunded + refunded,
                    settled=sale.settled + settled,
                    updated_at=max(stock.now, sale.updated_at),
                )
            )


def _stage_return(stock: Stock, made: Return, name: str) -> None:
    """Book it: money down, revenue and tax taken back, and what damaged goods had cost."""
    exact = sum(line.refund for line in made.lines)
    tax, tips = sum(line.tax for line in made.lines), sum(line.tip for line in made.lines if line.tip is not UNSET)
    loss, cards = sum(line.loss for line in made.lines), sum(line.cards for line in made.lines)
    money = [paid_by(part.method, -part.amount, own_account(stock, part.method)) for part in made.parts]
    money += tax_payable(_taxes_back(made))
    money += [
        (TIPS, tips),
        (GIFT_CARDS, cards),
        (RETURNS, exact - tax - tips - cards),
        (ROUNDING, made.rounding),
        (SHRINKAGE, loss),
        (COST_OF_GOODS, -loss),
    ]
    stage_money(stock, "RETURN", made.id, f"Return {name}", money, made.store_id)


def _taxes_back(made: Return) -> tuple[TaxShare, ...]:
    return negative(by_rate([share for line in made.lines for share in line.tax_shares]))


def _tell_till(stock: Stock, made: Return, cash: int) -> None:
    """The drawer of the caller's till knows what went out of it."""
    if stock.caller.session_id is None:
        return
    by_method: dict[str, int] = {}
    for part in made.parts:
        if part.method not in NO_MONEY:
            by_method[part.method] = by_method.get(part.method, 0) - part.amount
    more = SessionTotals(cash_refunds=cash, by_method=by_method, returns=1, taxes=_taxes_back(made))
    add_to_session(stock, more)


def _tell_returned(stock: Stock, made: Return, order_number: str | None) -> None:
    stock.tell(
        "SaleReturned",
        None,
        {
            "return_id": made.id,
            "sale_id": made.sale_id,
            "store_id": made.store_id,
            "order_number": order_number,
            "refund_total": from_minor(made.refund_total, stock.settings.minor_digits),
            "timestamp": instant_text(stock.now),
        },
    )
