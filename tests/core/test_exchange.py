"""Goods come back and others go out on one receipt (docs/how-to/get-paid.md)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.core.organisation.settings import AddRegister
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.exchange import Exchanged, ExchangedSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.refunds import RefundRequest
from holdfast.core.sales.register import OpenSession
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from tests.core.scene import Scene
from tests.core.test_money_over_time import account, money, scene, session_of, sound

__all__ = ["scene"]

MANY = [f"01980a3e-5f00-7000-8000-{number:012}" for number in range(21)]


def bought(scene: Scene, sku: str = "SOFA-1", units: int = 1, method: str = "cash") -> Any:
    """A completed sale, paid in full."""
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest(sku, units),)))
    amount = "10.00" if (sku, method) == ("CUP-1", "cash") else sale.total
    return scene.do(CompleteSale(sale.id, (PaymentRequest(method, amount),)))  # type: ignore[arg-type] # one of Method


def back(sale: Any, units: int = 1, method: str | None = None, **fields: Any) -> Exchanged:
    """Units of the sale's first line, in exchange."""
    return Exchanged((ExchangedSale(sale.id, (ReturnedLine(sale.lines[0].id, units),)),), method, **fields)


def checkout(
    scene: Scene, sku: str, exchange: Exchanged, *payments: PaymentRequest, units: int = 1, **fields: Any
) -> Checkout:
    lines = (LineRequest(sku, units),)
    return Checkout(scene.shop.stores["MAIN"], lines, payments=payments, exchange=exchange, **fields)


def test_the_customer_pays_the_difference(scene: Scene) -> None:
    cup = bought(scene, "CUP-1", method="card")
    done = scene.do(checkout(scene, "SOFA-1", back(cup), PaymentRequest("cash", "100.00")))
    assert [(one["method"], one["amount"]) for one in done.payments] == [("exchange", "9.98"), ("cash", "100.00")]
    assert (done.total, done.rounding, done.change, done.owed) == ("100.00", "-0.02", "10.00", "0.00")
    assert done.returns[0].refunds == [{"method": "exchange", "amount": "9.98"}]
    assert done.receipt["returned"][0]["lines"] == [{"sku": "CUP-1", "quantity": 1, "refund": "9.98"}]
    assert money(scene) == (9000, 998)
    shown = scene.shop.holdfast.reports.sale(scene.shop.org_id, done.id)
    assert shown is not None and [one["id"] for one in shown["returns"]] == [done.returns[0].id]


def test_the_shop_pays_the_difference(scene: Scene) -> None:
    sofa = bought(scene)
    refused = scene.refuses(checkout(scene, "CUP-1", back(sofa)), "PAYMENT_MISMATCH")
    assert refused is None or refused.numbers["due"] == "-90.02"
    done = scene.do(checkout(scene, "CUP-1", back(sofa, method="cash")))
    assert done.returns[0].refunds == [{"method": "exchange", "amount": "9.98"}, {"method": "cash", "amount": "90.00"}]
    assert (money(scene), account(scene, "5300")) == ((1000, 0), -2)


def test_the_same_for_the_same_moves_no_money(scene: Scene) -> None:
    register = scene.do(AddRegister("MAIN", "till"))
    session = scene.do(OpenSession(register.id, "50.00", "hash", "Ana"))
    actor = replace(scene.shop.owner, session_id=session.id)
    sofa = bought(scene)
    scene.shop.ok(checkout(scene, "SOFA-1", back(sofa)), actor=actor)
    after = session_of(scene, session.id)
    assert (after["cash_sales"], after["cash_refunds"], after["sales"], after["returns"]) == (0, 0, 1, 1)
    assert money(scene) == (10000, 0)


def test_a_sale_in_the_queue_is_exchanged_for(scene: Scene) -> None:
    cup = bought(scene, "CUP-1")
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("SOFA-1", 1),)))
    done = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "90.00"),), back(cup)))
    assert (done.owed, [one["method"] for one in done.payments]) == ("0.00", ["exchange", "card"])


def test_what_was_exchanged_goes_back_as_it_was_paid(scene: Scene) -> None:
    """Bought by card, exchanged for the same: a cashier gives the money back to the card, never in cash."""
    cashier = scene.shop.cashier
    done = scene.do(checkout(scene, "SOFA-1", back(bought(scene, method="card"))))
    refund = ReturnSale(done.id, (ReturnedLine(done.lines[0].id, 1),), "cash")
    scene.refuses(refund, "PAYMENT_MISMATCH", actor=cashier)
    scene.shop.ok(replace(refund, method="card"), actor=cashier)
    assert money(scene) == (0, 0)


def test_a_quote_of_an_exchange_leaves_no_trace(scene: Scene) -> None:
    cup = bought(scene, "CUP-1")
    quoted = scene.do(checkout(scene, "SOFA-1", back(cup), PaymentRequest("card", "90.00"), quote=True))
    assert [one["method"] for one in quoted.payments] == ["exchange", "card"]
    assert scene.shop.rows("SELECT id FROM sale_return") == []
    assert scene.shop.rows("SELECT sum(returned) AS units FROM sale_line") == [{"units": 0}]


def test_all_or_nothing(scene: Scene) -> None:
    cup = bought(scene, "CUP-1")
    scene.refuses(checkout(scene, "SOFA-1", back(cup), PaymentRequest("card", "9000.00"), units=51), "PAYMENT_MISMATCH")
    pay = PaymentRequest("card", "5090.00")
    scene.refuses(checkout(scene, "SOFA-1", back(cup), pay, units=51), "INSUFFICIENT_STOCK")
    assert scene.shop.rows("SELECT id FROM sale_return") == []
    sound(scene)


@pytest.mark.parametrize(
    ("exchange", "code"),
    [
        (lambda sale: back(sale, 2), "RETURN_EXCEEDS_SALE"),
        (lambda sale: Exchanged((*back(sale).sales, *back(sale).sales)), "INVALID_REQUEST"),
        (lambda sale: Exchanged(tuple(replace(back(sale).sales[0], sale_id=name) for name in MANY)), "INVALID_REQUEST"),
        (lambda sale: Exchanged((replace(back(sale).sales[0], sale_id=sale.lines[0].id),)), "SALE_NOT_FOUND"),
        (lambda sale: Exchanged((replace(back(sale).sales[0], lines=()),)), "INVALID_REQUEST"),
        (lambda sale: back(sale, requests=(RefundRequest("cash", "999.00"),)), "INVALID_AMOUNT"),
    ],
)  # fmt: skip
def test_exchanges_that_make_no_sense(scene: Scene, exchange: Any, code: str) -> None:
    scene.refuses(checkout(scene, "CUP-1", exchange(bought(scene))), code)
