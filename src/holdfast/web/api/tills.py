"""What a till's page begins with: where it is, who is at it, its carts, its keys.

    GET /api/v1/pos/till      -> {"store": {...}, "register": {...}, "carts": ["..."], "quick_keys": [...], ...}

A page reads it once when it opens and when the cashier changes; what happens afterwards comes by the stream of events.
Quick keys are the register's own, or what its store sells most until a manager has set some.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from holdfast.access import Permission
from holdfast.core.records.currency import minor_digits_of
from holdfast.web.api.registers import read_cashier, read_own_session
from holdfast.web.api.shapes import CashierDocument
from holdfast.web.http.route import Call, Route


class TillPlace(msgspec.Struct):
    """The store or the register of a till."""

    id: str
    code: str
    name: str | None


class TillKey(msgspec.Struct):
    """A button that sells a product; `colour` is #rrggbb."""

    label: str
    product_id: str
    colour: str | None


class TillDocument(msgspec.Struct):
    """A till as its page needs it. `minor_digits` are the decimal places of amounts, `carts` the ids of open carts, the
    one that was changed last first."""

    organisation: str
    currency: str
    minor_digits: int
    cash_rounding: str
    tax_mode: str
    timezone: str
    cart_hold_minutes: int
    store: TillPlace
    register: TillPlace
    session_number: int
    opened_at: str
    opened_by: str
    cashier: CashierDocument
    permissions: list[str]
    carts: list[str]
    quick_keys: list[TillKey]
    keys_are: Literal["chosen", "best_sellers"]


def read_till(call: Call) -> TillDocument:
    """The till that asks."""
    reports, actor = call.shop.reports, call.actor
    session = read_own_session(call)
    register = reports.register(actor.org_id, session["register_id"])
    store = reports.store(actor.org_id, session["store_id"])
    settings = reports.settings(actor.org_id)
    assert register is not None and store is not None and settings is not None, "an open session keeps all of them"
    chosen = register["quick_keys"]
    keys = chosen or reports.best_sellers(actor.org_id, session["store_id"])
    return TillDocument(
        organisation=settings["name"],
        currency=settings["currency"],
        minor_digits=minor_digits_of(settings["currency"]),
        cash_rounding=settings["cash_rounding"],
        tax_mode=settings["tax_mode"],
        timezone=store["timezone"],
        cart_hold_minutes=settings["cart_hold_minutes"],
        store=_place(store),
        register=_place(register),
        session_number=session["number"],
        opened_at=session["opened_at"],
        opened_by=session["opened_by"],
        cashier=read_cashier(call),
        permissions=[str(one) for one in Permission if actor.has(one)],
        carts=reports.carts_of_till(actor.org_id, session["id"]),
        quick_keys=[TillKey(one["label"], one["product_id"], one.get("colour")) for one in keys],
        keys_are="chosen" if chosen else "best_sellers",
    )


def _place(one: dict[str, Any]) -> TillPlace:
    return TillPlace(one["id"], one["code"], one["name"])


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/pos/till",
        summary="Read what a till's page begins with",
        about="Store, register, cashier and what they may do, open carts, and quick keys: the register's own, or what "
        "the store sold most in the last 28 days.",
        tag="Point of sale",
        permission=Permission.SELL,
        till=True,
        answer_with=read_till,
        answer=TillDocument,
    ),
)
