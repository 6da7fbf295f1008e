"""Payments: money for a sale before, with and after its completion (docs/how-to/get-paid.md).

    a cart of 100.00, a deposit of 30.00 in cash      -> owed 70.00; books: cash 30.00 up, receivable 30.00 down
    completed without a payment                       -> receivable 100.00 up: 70.00 are owed
    70.00 by card a week later                        -> nothing is owed
    the card was cash, pressed wrongly                -> the same 70.00, corrected: the drawer and the books follow

A deposit counts when the sale is completed. What was paid in advance beyond what is due then goes back, by the methods
that it came by, the newest first; so does all of it when the sale is given up. What goes back is a payment below zero.
A payment belongs to the till at which it was made, whichever till completes the sale. What an unfinished
sale comes to it asks `lines.priced_today`.

A tender that was pressed wrongly is corrected at its own till while that is open, or by who may hand out refunds
otherwise. The report of a till that is closed never changes: its count has booked the difference as over or short
already, so the correction goes against that.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import PayMethod, TenderMethod
from holdfast.core.records.number import VALUE_MAX, from_minor, to_minor
from holdfast.core.records.permission import Permission
from holdfast.core.records.proportion import allocate, cash_rounded
from holdfast.core.records.rejection import Code, Refused, Rejected, invalid_state, malformed, not_found
from holdfast.core.records.sale import PAYMENTS_MAX, Sale
from holdfast.core.records.status import CANCELLED, OPEN
from holdfast.core.records.time import instant_text
from holdfast.core.records.totals import NO_MONEY, Method, Payment, due_by_line, standing, tendered
from holdfast.core.records.wants import GiftCardById, ReturnsOfSale, SessionById
from holdfast.core.sales.documents import SaleDocument, describe_sale
from holdfast.core.sales.gift_cards import GiftCard, active_card, load_onto, look_at, spend_on
from holdfast.core.sales.lines import kept_receipt, priced_today, rules_of, told_in_currency
from holdfast.core.sales.register import (
    RegisterSession,
    SessionTotals,
    add_to_session,
    open_session_of,
    refuse_closed_session,
)
from holdfast.core.sales.return_record import Return
from holdfast.core.stock.journal import (
    CASH_OVER_SHORT,
    RECEIVABLE,
    ROUNDING,
    Line,
    own_account,
    paid_by,
    stage_money,
)
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import find_sale, lines_of

replace = msgspec.structs.replace


class PaymentRequest(msgspec.Struct, frozen=True, gc=False):
    """What the customer hands over; `amount` a decimal string, `code` that of a gift card."""

    method: PayMethod
    amount: str
    code: str | None = None


class TakePayment(Command, frozen=True, gc=False):
    """Take a deposit on a sale that is open or in the queue, or what is owed of a completed one."""

    sale_id: str
    payment: PaymentRequest


class CorrectPayment(Command, frozen=True, gc=False):
    """The payment was made by another method than the one that was pressed."""

    sale_id: str
    payment_id: str
    method: TenderMethod


def payments_of(stock: Stock, asked: tuple[PaymentRequest, ...] | None) -> tuple[Payment, ...] | None:
    """The payments in minor units, each by gift card with the id of the card."""
    if asked is None:
        return None
    look_at(stock, [payment.code for payment in asked if payment.code is not None])
    payments = []
    for index, payment in enumerate(asked):
        amount = to_minor(payment.amount, stock.settings.minor_digits)
        if amount is None or amount < 0:
            raise Refused(Code.INVALID_AMOUNT, f"The payment {payment.amount[:40]!r} is not an amount of money.")
        refuse_code(f"payments.{index}.code", payment.method, payment.code, needed=True)
        card = UNSET if payment.code is None else active_card(stock, payment.code).id
        payments.append(Payment(payment.method, amount, card=card))  # type: ignore[arg-type] # one of Method
    return tuple(payments)


def refuse_code(field: str, method: str, code: str | None, *, needed: bool) -> None:
    """Refuse a code of what is no gift card, and a gift card without one where it is needed."""
    if method != "gift_card" and code is not None:
        raise malformed(field, "is for the method gift_card.")
    if method == "gift_card" and code is None and needed:
        raise malformed(field, "is required: the code of the gift card.")


def move_on_card(stock: Stock, payment: Payment) -> None:
    """A payment by gift card takes its amount off the card; one that goes back puts it there again."""
    if payment.method == "gift_card" and payment.amount:
        assert isinstance(payment.card, str) and isinstance(payment.id, str)
        card = stock.row(GiftCard, payment.card)
        assert card is not None, payment
        if payment.amount > 0:
            spend_on(stock, card, payment.amount, "PAYMENT", payment.id)
        else:
            load_onto(stock, card, -payment.amount, "PAYMENT", payment.id)


def line_of(payment: Payment) -> Line:
    """What a payment brings to the account on which it lies, or (negative) takes off it."""
    return paid_by(payment.method, payment.kept, payment.account)


# With the completion -------------------------------------------------------------------------------------------------


def kept_with_sale(stock: Stock, payments: tuple[Payment, ...], change: int) -> tuple[Payment, ...]:
    """The payments of a completion as they are kept: each has an id. The `change` (minor units) is of those in cash,
    the last one first.

    They have no `session_id`: the session of the sale counts them. PAYMENT_MISMATCH: more change than their cash, which
    would hand out what was paid in advance.
    """
    kept = [replace(payment, id=stock.new_id(), account=own_account(stock, payment.method)) for payment in payments]
    left = change
    for index in reversed(range(len(kept))):
        part = min(left, kept[index].amount) if kept[index].method == "cash" else 0
        if part:
            kept[index] = replace(kept[index], change=part)
            left -= part
    if left:
        paid = sum(payment.amount for payment in payments)
        numbers = {"due": paid - change, "paid": paid}
        words = "Only cash may be more than what is due."
        raise told_in_currency(stock, Rejected(Code.PAYMENT_MISMATCH, words, numbers))
    for payment in kept:
        move_on_card(stock, payment)
    return tuple(kept)


def take_at_till(stock: Stock, payments: tuple[Payment, ...], more: SessionTotals) -> None:
    """The drawer of the caller's till knows what payments brought or took, and what else the act did there."""
    if stock.caller.session_id is None:
        return
    by_method: dict[str, int] = {}
    for payment in payments:
        if payment.method not in NO_MONEY:
            by_method[payment.method] = by_method.get(payment.method, 0) + payment.kept
    cash = [payment.kept for payment in payments if payment.method == "cash"]
    add_to_session(
        stock,
        replace(
            more,
            cash_sales=sum(amount for amount in cash if amount > 0),
            cash_refunds=-sum(amount for amount in cash if amount < 0),
            by_method=by_method,
        ),
    )


def refuse_cash_out(stock: Stock, amount: int) -> None:
    """Refuse cash that is not in the drawer of the caller's till."""
    session = open_session_of(stock)
    if session is not None and amount > session.expected:
        raise invalid_state("There is not that much cash in the drawer.")


# In advance ----------------------------------------------------------------------------------------------------------


def give_back(stock: Stock, sale: Sale, due: int) -> Sale:
    """The sale, of whose deposits no more stands than is `due` (minor units): the rest goes back, the newest first."""
    paid = standing(sale.payments)
    others = sum(payment.amount for payment in paid if payment.method != "cash")
    cash = sum(payment.amount for payment in paid) - others
    rounded = max(cash_rounded(max(due - others, 0), rules_of(stock).cash_rounding), 0)
    over = max(others - due, 0) + max(cash - rounded, 0)
    if not over:
        return sale
    _lock_cards(stock, sale)
    left = {"cash": max(cash - rounded, 0), "": max(others - due, 0)}
    back: list[Payment] = []
    stands = {payment.method: payment.amount for payment in paid}
    for payment in reversed(sale.payments):
        pot = "cash" if payment.method == "cash" else ""
        # Never more than stands by the method: an older payment of it may have gone back already.
        amount = min(left[pot], payment.kept, stands.get(payment.method, 0))
        if amount <= 0:
            continue
        left[pot] -= amount
        stands[payment.method] -= amount
        made = _made(stock, payment.method, -amount, 0, payment.card)
        back.append(replace(made, account=payment.account))
    return _keep_apart(stock, sale, tuple(back), f"Sale {sale.number}, given back")


def _lock_cards(stock: Stock, sale: Sale) -> None:
    """The gift cards that have paid in advance, locked."""
    names = [payment.card for payment in sale.payments if payment.card is not UNSET]
    stock.require(*(GiftCardById(name) for name in names if stock.row(GiftCard, name) is None))


def _made(stock: Stock, method: Method, amount: int, change: int, card: str | UnsetType = UNSET) -> Payment:
    """A payment that the caller makes now, apart from any completion."""
    return Payment(
        method,
        amount,
        id=stock.new_id(),
        at=stock.now,
        actor=stock.caller.actor,
        session_id=stock.caller.session_id,
        change=change or UNSET,
        card=card,
        account=own_account(stock, method),
    )


def _keep_apart(stock: Stock, sale: Sale, made: tuple[Payment, ...], description: str, rounding: int = 0) -> Sale:
    """The sale with payments that were made apart from its completion, kept; `rounding` is what cash is beyond due."""
    out = -sum(payment.kept for payment in made if payment.method == "cash" and payment.kept < 0)
    if out:
        refuse_cash_out(stock, out)
    for payment in made:
        move_on_card(stock, payment)
        money: list[Line] = [
            line_of(payment),
            (RECEIVABLE, -(payment.kept - rounding)),
            (ROUNDING, -rounding),
        ]
        assert not isinstance(payment.id, msgspec.UnsetType)
        stage_money(stock, "PAYMENT", payment.id, description, money, sale.store_id)
    sale = replace(
        sale,
        payments=(*sale.payments, *made),
        paid=sale.paid + sum(payment.amount for payment in made),
        change=sale.change + sum(payment.own_change for payment in made),
        rounding=sale.rounding + rounding,
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(sale)
    take_at_till(stock, made, SessionTotals())
    return sale


def take_payment(stock: Stock, command: TakePayment) -> SaleDocument:
    """Decide a TakePayment: a deposit is at most what the sale comes to now; change is given from cash only."""
    sale = with_settled(stock, find_sale(stock, command.sale_id))
    asked = payments_of(stock, (command.payment,))
    assert asked is not None
    [payment] = asked
    if payment.amount == 0:
        raise Refused(Code.INVALID_AMOUNT, "The payment is nothing.", {"field": "amount"})
    if sale.status == CANCELLED:
        raise invalid_state("The sale is cancelled.", sale_status=sale.status)
    if len(sale.payments) >= PAYMENTS_MAX:
        raise invalid_state(f"The sale has {PAYMENTS_MAX} payments already.", sale_status=sale.status)
    refuse_closed_session(stock)
    now, _ = priced_today(stock, sale, lines_of(stock, sale))
    paid = standing(sale.payments)
    before = sum(one.amount for one in paid)
    total = now.total - sale.settled
    rules = rules_of(stock)
    so_far = tendered(total, paid, rules.cash_rounding, partly=True)
    if isinstance(so_far, Rejected) or so_far.owed <= 0:
        raise _nothing_owed(stock, now, before)
    tender = tendered(total, (*paid, payment), rules.cash_rounding, partly=True)
    if isinstance(tender, Rejected):
        raise told_in_currency(stock, tender)
    if tender.change and payment.method != "cash":
        raise _nothing_owed(stock, now, before)
    if before + payment.amount > VALUE_MAX:
        raise Refused(Code.INVALID_AMOUNT, "The payments are out of bounds.")
    rounding = 0 if sale.unfinished else tender.rounding - sale.rounding
    made = _made(stock, payment.method, payment.amount, tender.change, payment.card)
    words = "deposit" if sale.unfinished else "paid later"
    sale = _keep_apart(stock, sale, (made,), f"Sale {sale.number}, {words}", rounding)
    if rounding:
        _share_rounding(stock, sale, rounding)
    stock.tell("SalePaid", None, payment_facts(stock, sale, made))
    return describe_sale(stock, sale)


def _nothing_owed(stock: Stock, sale: Sale, paid: int) -> Refused:
    digits = stock.settings.minor_digits
    numbers = {"due": from_minor(sale.due, digits), "paid": from_minor(paid, digits)}
    return Refused(Code.PAYMENT_MISMATCH, "So much is not owed of the sale.", numbers)


def _share_rounding(stock: Stock, sale: Sale, delta: int) -> None:
    """What was due changed by the rounding of cash, by `delta` minor units: what did not come back yet bears it."""
    lines = lines_of(stock, sale)
    if any(line.returned for line in lines):
        left = [max(line.due, 0) * (line.quantity - line.returned) // line.quantity for line in lines]
        dues = [line.due + part for line, part in zip(lines, allocate(delta, left), strict=True)]
    else:
        dues = due_by_line(kept_receipt(stock, sale))
    for line, due in zip(lines, dues, strict=True):
        if due != line.due:
            stock.put_row(replace(line, due=due, updated_at=stock.now))


def with_settled(stock: Stock, sale: Sale) -> Sale:
    """The sale with `settled` filled in: what an older version set against what was owed is read from its returns."""
    if sale.refunded or sale.paid or not any(line.returned for line in lines_of(stock, sale)):
        return sale
    if sale.id not in stock.new_ids:
        stock.require(ReturnsOfSale(sale.id))
    settled = sum(made.refund_total for made in stock.rows_of_sale(Return, sale.id))
    return replace(sale, refunded=settled, settled=settled)


def payment_facts(stock: Stock, sale: Sale, payment: Payment) -> dict[str, object]:
    """What an event says of a payment (docs/reference/events.md, `SalePaid`)."""
    digits = stock.settings.minor_digits
    return {
        "sale_id": sale.id,
        "number": sale.number,
        "order_number": sale.order_number,
        "source": sale.source,
        "store_id": sale.store_id,
        "payment_id": payment.id,
        "method": payment.method,
        "amount": from_minor(payment.kept, digits),
        "owed": from_minor(sale.owed, digits),
        "timestamp": instant_text(stock.now),
    }


# Pressed wrongly -----------------------------------------------------------------------------------------------------


def correct_payment(stock: Stock, command: CorrectPayment) -> SaleDocument:
    """Decide a CorrectPayment: what was kept moves to the right method, cash to its coin, the drawer and the books
    with it."""
    sale = find_sale(stock, command.sale_id)
    payment = next((one for one in sale.payments if one.id == command.payment_id), None)
    if payment is None:
        raise not_found(Code.NOT_FOUND, "Payment", command.payment_id)
    session_id = sale.session_id if isinstance(payment.session_id, UnsetType) else payment.session_id  # `with_sale`
    session = _session_of(stock, session_id)
    is_open = session is not None and session.status == OPEN
    if not stock.caller.may_refund_otherwise and not (is_open and session_id == stock.caller.session_id):
        words = "A payment is corrected at its own till while that is open, or by who has returns:override."
        raise Refused(Code.FORBIDDEN, words, {"override_required": "manager"})
    method: Method = command.method  # type: ignore[assignment] # one of Method
    _refuse_correction(sale, payment, method)
    corrected = _by_method(stock, sale, payment, method)
    if session is not None and not is_open and corrected.pressed is UNSET:
        corrected = replace(corrected, pressed=(payment.method, payment.kept))
    delta = corrected.kept - payment.kept
    _stage_correction(stock, sale, payment, corrected, is_closed=session is not None and not is_open)
    sale = replace(
        sale,
        payments=tuple(corrected if one.id == payment.id else one for one in sale.payments),
        paid=sale.paid + corrected.amount - payment.amount,
        change=sale.change - payment.own_change,
        rounding=sale.rounding + delta,
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(sale)
    if delta:
        _share_rounding(stock, sale, delta)
    if session is not None and is_open:
        _move_in_session(stock, session, payment, corrected)
    facts = {**payment_facts(stock, sale, corrected), "corrected_from": payment.method}
    stock.tell("PaymentCorrected", None, facts)
    return describe_sale(stock, sale)


def _session_of(stock: Stock, session_id: str | None) -> RegisterSession | None:
    """The till's session at which a payment was made, locked."""
    if session_id is None:
        return None
    stock.require(SessionById(session_id))
    return stock.row(RegisterSession, session_id)


def _refuse_correction(sale: Sale, payment: Payment, method: str) -> None:
    """Refuse what is no mistake of a button, and what came back already by the method that was pressed."""
    if payment.method == method:
        raise invalid_state(f"The payment was made by {method}.", sale_status=sale.status)
    if payment.method in NO_MONEY or payment.card is not UNSET or payment.amount < 0:
        raise invalid_state("Only money that came in is corrected.", sale_status=sale.status)
    if sale.refunded or any(one.amount < 0 for one in sale.payments):
        raise invalid_state("Something went back of the sale already, by what was pressed.", sale_status=sale.status)


def _by_method(stock: Stock, sale: Sale, payment: Payment, method: Method) -> Payment:
    """The payment by another method: of a sale that is paid, what is due by it, which in cash is a coin."""
    amount = payment.kept
    paid = sale.unfinished is False and sale.owed == 0
    other_cash = any(one.method == "cash" and one.id != payment.id and one.kept for one in sale.payments)
    if paid and not other_cash:
        exact = amount - sale.rounding if payment.method == "cash" else amount
        amount = cash_rounded(exact, rules_of(stock).cash_rounding) if method == "cash" else exact
    return replace(payment, method=method, amount=amount, change=UNSET, account=own_account(stock, method))


def _stage_correction(stock: Stock, sale: Sale, payment: Payment, corrected: Payment, *, is_closed: bool) -> None:
    """Book it: the payment leaves the account on which it lies. Of a till that is closed the count has booked what cash
    was over or short: that is taken back."""

    def line(one: Payment, amount: int) -> Line:
        if is_closed and one.method == "cash":
            return CASH_OVER_SHORT, amount
        return paid_by(one.method, amount, one.account)

    money: list[Line] = [
        line(payment, -payment.kept),
        line(corrected, corrected.kept),
        (ROUNDING, payment.kept - corrected.kept),
    ]
    assert not isinstance(payment.id, msgspec.UnsetType)
    description = f"Sale {sale.number}, {payment.method} was {corrected.method}"
    stage_money(stock, "PAYMENT", payment.id, description, money, sale.store_id)


def _move_in_session(stock: Stock, session: RegisterSession, payment: Payment, corrected: Payment) -> None:
    """The open till knows the payment by its right method."""
    cash = (corrected.kept if corrected.method == "cash" else 0) - (payment.kept if payment.method == "cash" else 0)
    moved: dict[str, int] = {payment.method: -payment.kept, corrected.method: corrected.kept}
    add_to_session(stock, SessionTotals(cash_sales=cash, by_method=moved), session)


DECISIONS = (
    Decision(TakePayment, take_payment, Permission.SELL),
    Decision(CorrectPayment, correct_payment, Permission.SELL),
)
