"""Gift cards over HTTP: what is left on one, and what is owed on all.

    GET /api/v1/gift-cards/7KQD-M2XA-P9RT-HW4C      -> {"balance": "30.10", "entries": [{"amount": "-19.90", ...}], ...}
    GET /api/v1/gift-cards?status=active            -> the end of each code, and its balance

A card is the organisation's: every store may look at it and take it. Who knows a code may spend the card, so nothing
but the card itself says it in full.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.access import Permission
from holdfast.core.records.rejection import Code
from holdfast.reports import Reports
from holdfast.web.http.route import PAGED, Call, Pages, Route, found


class GiftCardEntryDocument(msgspec.Struct):
    """What changed the balance of a card: `amount` came on it or (negative) went. `balance` is the one after it."""

    at: str
    amount: str
    balance: str
    ref_type: str
    ref_id: str
    cashier: str


class GiftCardDocument(msgspec.Struct):
    """A gift card with a page of its entries, newest first; `next_cursor` goes on with older ones."""

    code: str
    balance: str
    currency: str
    status: str
    issued_at: str
    entries: list[GiftCardEntryDocument]
    next_cursor: str | None


class GiftCardSummary(msgspec.Struct):
    """A gift card in a list; `hint` are the last four characters of its code."""

    id: str
    hint: str
    balance: str
    currency: str
    status: str
    issued_at: str


def read_card(call: Call) -> Any:
    """A gift card by its code."""
    code = call.args["code"]
    card = call.shop.reports.gift_card(call.actor.org_id, code, **call.paging())
    return found(card, Code.NOT_FOUND, "Gift card", code)


_CARDS = "/api/v1/gift-cards"

ROUTES = (
    Route(
        method="GET",
        path=_CARDS,
        summary="List gift cards",
        about="What is owed on each card; of its code the last four characters alone. It is about all stores: who is "
        "limited to some may not see it.",
        tag="Gift cards",
        permission=Permission.MANAGE,
        answer_with=Pages(
            Reports.gift_cards, of_all_stores="Gift cards are about all stores; you are assigned to some."
        ),
        answer=[GiftCardSummary],
        query=PAGED,
    ),
    Route(
        method="GET",
        path=f"{_CARDS}/{{code}}",
        summary="Read a gift card",
        about="What is left on the card with this code (capitals or small letters), and what changed it, newest first. "
        "Every store may look at it. `limit` and `cursor` are about `entries`.",
        tag="Gift cards",
        permission=Permission.SELL,
        answer_with=read_card,
        answer=GiftCardDocument,
        query=PAGED,
        codes=(Code.NOT_FOUND,),
    ),
)
