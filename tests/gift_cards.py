"""A command that acts on gift cards, for tests: sales and payments do it in their own decisions.

    with acting_on_cards():
        shop.ok(ActOnCard("issue", 5000, code="XMAS-0001"))      -> the card, and 50.00 in account 2200
        shop.refused(ActOnCard("spend", 5001, code="XMAS-0001")) -> PAYMENT_MISMATCH

Its money stands against the account 2010, which no sale touches. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from holdfast.core import decide
from holdfast.core.answer import answer_types
from holdfast.core.records.command import Command, Decision
from holdfast.core.records.permission import Permission
from holdfast.core.sales.gift_cards import GiftCard, block, cards_of_sale, issue, load, read_code, spend
from holdfast.core.stock.journal import GIFT_CARDS, PAYABLE, stage_money
from holdfast.core.stock.posting import Stock


class ActOnCard(Command, frozen=True, gc=False):
    """Issue, load, spend or block a card, or look at those that a sale issued; `booked` is false where a test wants
    books that are wrong."""

    act: Literal["issue", "load", "spend", "block", "of_sale"]
    amount: int = 0
    code: str | None = None
    sale_id: str | None = None
    booked: bool = True


def act_on_card(stock: Stock, command: ActOnCard) -> GiftCard | list[GiftCard]:
    """Decide an ActOnCard: the card as it then stands, or the cards of the sale."""
    if command.act == "of_sale":
        assert command.sale_id is not None
        return cards_of_sale(stock, command.sale_id)
    ref_id = stock.new_id()
    code = command.code or ""
    if command.act == "issue":
        card = issue(stock, command.amount, "SALE", ref_id, code=command.code, sale_id=command.sale_id)
        ref_type, owed = "SALE", command.amount
    elif command.act == "load":
        card, ref_type, owed = load(stock, code, command.amount, "SALE", ref_id), "SALE", command.amount
    elif command.act == "spend":
        card, ref_type, owed = spend(stock, code, command.amount, "PAYMENT", ref_id), "PAYMENT", -command.amount
    else:
        ref_type, owed = "RETURN", -block(stock, code, "RETURN", ref_id)
        card = stock.rows_with(GiftCard, "code", read_code(code) or "")[0]
    if command.booked:
        stage_money(stock, ref_type, ref_id, "Gift card", [(GIFT_CARDS, -owed), (PAYABLE, owed)], None)
    return card


def register() -> None:
    """Let this process know the command."""
    decision = Decision(ActOnCard, act_on_card, Permission.SELL)
    decide.DECISIONS[ActOnCard] = decision
    decide._DECISIONS[ActOnCard] = decision.decide
    answer_types.cache_clear()


@contextmanager
def acting_on_cards() -> Iterator[None]:
    """Let this process know the command while the block runs."""
    register()
    try:
        yield
    finally:
        del decide.DECISIONS[ActOnCard], decide._DECISIONS[ActOnCard]
        answer_types.cache_clear()
