"""Money that went back of an order where it was sold: booked once, to the cent, or the answer says why not.

See docs/how-to/order-files.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.check import check
from holdfast.core.records.permission import Permission
from holdfast.core.records.time import instant_of
from holdfast.core.sales.order_entry import FeeRequest
from holdfast.core.sales.order_facts import OrderedLine, OrderFacts, OrderTax
from holdfast.core.sales.order_import import ImportOrder
from holdfast.core.sales.order_refunds import OrderRefund, RefundLeft
from holdfast.core.sales.payments import PaymentRequest, TakePayment
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from tests.core.books import balances, book_faults, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

MONEY: dict[str, Any] = {
    "fees": (FeeRequest("Shipping", "5.00"),),
    "facts": OrderFacts("48.20", (OrderTax("NY 8%", "3.20", "0.08"),)),
}
"""Two mugs at 20.00, 8 percent of them, and 5.00 of shipping without tax."""


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=990)
        scene.given("MUG-1 MAIN  A 5 @1.00")
        yield scene
        assert_truth(shop)
        assert check(shop.holdfast.database).mismatches == []
        assert book_faults(shop) == []
        assert sale_faults(shop) == []


def order(scene: Scene, fulfilled: int = 2, returned: int = 0, **fields: Any) -> ImportOrder:
    line = OrderedLine("MUG-1", 2, "20.00", fulfilled=fulfilled, returned=returned)
    told = {"payment": "card", **MONEY, **fields}
    return ImportOrder("#1", "shopify", (line,), scene.shop.stores["MAIN"], **told)


def sale_of(scene: Scene, sale_id: str) -> dict[str, Any]:
    found = scene.shop.holdfast.reports.sale(scene.shop.org_id, sale_id)
    assert found is not None
    return dict(found)


def books(scene: Scene) -> tuple[int, int, int]:
    """(receivable, refunds, tax payable)."""
    found = balances(scene.shop)
    return found.get("1100", 0), found.get("4100", 0), found.get("2100", 0)


def test_money_beside_goods_is_given_off_once_with_its_tax(scene: Scene) -> None:
    """A tenth of 48.20 has a tenth of its tax; the report has a tenth of the net that was taxed."""
    taken = scene.do(order(scene, refunded=OrderRefund("4.82", in_all=True)))
    assert (taken.brought, taken.refunded, taken.money_off, taken.unbooked) == ("added", "4.82", "4.82", None)
    assert books(scene) == (4820 - 482, 450, -288)
    [rate] = scene.shop.holdfast.reports.tax_report(scene.shop.org_id)["items"]
    assert (rate["net"], rate["tax"]) == ("36.00", "2.88")
    again = scene.do(order(scene, refunded=OrderRefund("4.82", in_all=True)))
    assert (again.brought, again.refunded) == ("unchanged", "0.00")
    more = scene.do(order(scene, refunded=OrderRefund("10.00", in_all=True)))
    assert (more.brought, more.refunded, more.money_off) == ("changed", "5.18", "5.18")
    assert (books(scene)[0], sale_of(scene, more.sale_id)["stated"]["refunded"]) == (3820, "10.00")


@pytest.mark.parametrize(
    ("said", "refunded", "off"),
    [
        (None, "24.10", None),
        (OrderRefund("24.10", in_all=True), "24.10", None),
        (OrderRefund("30.00", in_all=True), "30.00", "5.90"),
        (OrderRefund("5.90"), "30.00", "5.90"),
        (OrderRefund("21.60", in_all=True), "21.60", None),
    ],
)
def test_goods_and_money_together_are_what_went_back(
    scene: Scene, said: OrderRefund | None, refunded: str, off: str | None
) -> None:
    """A mug that came back is worth 24.10 with its part of the shipping; more is money off, less is all it gets."""
    taken = scene.do(order(scene, returned=1, refunded=said))
    again = scene.do(order(scene, returned=1, refunded=said))
    assert (taken.refunded, taken.money_off) == (refunded, off)
    assert (again.brought, again.refunded) == ("unchanged", "0.00")
    assert books(scene)[0] == 4820 - round(float(refunded) * 100)


def test_what_was_refunded_here_is_not_refunded_again(scene: Scene) -> None:
    taken = scene.do(order(scene))
    line = sale_of(scene, taken.sale_id)["lines"][0]["id"]
    scene.do(ReturnSale(taken.sale_id, (ReturnedLine(line, 1),), "card"))
    told = scene.do(order(scene, refunded=OrderRefund("24.10", in_all=True)))
    assert (told.refunded, told.unbooked) == ("0.00", None)
    assert scene.do(order(scene, refunded=OrderRefund("25.00", in_all=True))).money_off == "0.90"


def test_it_waits_until_the_order_has_gone_out(scene: Scene) -> None:
    said = OrderRefund("4.82", in_all=True)
    taken = scene.do(order(scene, fulfilled=1, refunded=said))
    assert taken.unbooked == RefundLeft("4.82", "it is booked when the rest of the order has gone out")
    assert sale_of(scene, taken.sale_id)["stated"]["refunded"] == "4.82"
    done = scene.do(order(scene, refunded=said))
    assert (done.status, done.money_off, done.unbooked) == ("completed", "4.82", None)


def test_more_than_is_left_is_booked_as_far_as_it_goes(scene: Scene) -> None:
    taken = scene.do(order(scene, refunded=OrderRefund("50.00")))
    assert (taken.refunded, taken.unbooked) == ("48.20", RefundLeft("1.80", "no more is left of the order here"))
    again = scene.do(order(scene, refunded=OrderRefund("50.00")))
    assert (again.brought, again.unbooked) == ("unchanged", RefundLeft("1.80", "no more is left of the order here"))
    assert books(scene) == (0, 4500, 0)


def test_of_a_cancelled_order_nothing_was_booked(scene: Scene) -> None:
    taken = scene.do(order(scene, fulfilled=0, cancelled=True, refunded=OrderRefund("48.20")))
    assert (taken.status, taken.refunded) == ("cancelled", "0.00")
    assert taken.unbooked is not None and taken.unbooked.reason.startswith("the order is cancelled")


def test_it_goes_back_by_the_method_that_paid(scene: Scene) -> None:
    """The file does not say how it was paid; it was paid here in cash."""
    taken = scene.do(order(scene, payment=None))
    scene.do(TakePayment(taken.sale_id, PaymentRequest("cash", "48.20")))
    scene.do(order(scene, payment=None, refunded=OrderRefund("8.20")))
    assert balances(scene.shop)["1000"] == 4000


def test_who_may_give_no_money_off_takes_the_order_and_hears_why(scene: Scene) -> None:
    actor = replace(scene.shop.owner, permissions=frozenset((Permission.MANAGE, Permission.SELL)))
    priced = replace(order(scene, fees=(), facts=None), lines=(OrderedLine("MUG-1", 2, fulfilled=2),))
    taken = scene.do(replace(priced, refunded=OrderRefund("4.82")), actor=actor)
    assert (taken.status, taken.unbooked) == ("completed", RefundLeft("4.82", "Money off needs prices:discount."))


def test_an_amount_that_is_none_refuses_the_order(scene: Scene) -> None:
    assert scene.refuses(order(scene, refunded=OrderRefund("-1.00")), "INVALID_AMOUNT").numbers["field"] == "refunded"


def test_what_goods_cost_stays_on_the_day_of_the_import(scene: Scene) -> None:
    """A damaged mug cost 1.00: it is lost today, whenever its money went back."""
    days = {"ordered_at": instant_of("2025-03-01T10:00:00Z"), "post_on_order_date": True}
    [damaged] = (OrderedLine("MUG-1", 2, "20.00", fulfilled=2, returned=1, condition="damaged"),)
    scene.do(replace(order(scene), lines=(damaged,), refunded_at=instant_of("2025-04-09T10:00:00Z"), **days))
    assert posted(scene, "4100") == [("2025-04-09", 2250)]
    [(_, lost)] = posted(scene, "5100")
    assert lost == 100 and len({day for day, _ in posted(scene, "5000")} | {"2025-04-09"}) == 2


@pytest.mark.parametrize(
    ("asked", "refunded_at", "day"),
    [(True, None, "2025-03-01"), (True, "2025-04-09T10:00:00Z", "2025-04-09"), (False, "2025-04-09T10:00:00Z", None)],
)
def test_it_is_booked_on_its_day(scene: Scene, asked: bool, refunded_at: str | None, day: str | None) -> None:
    """On its own day, or on that of the order it comes with; on the day of the import where no day is asked for."""
    at = None if refunded_at is None else instant_of(refunded_at)
    told = {"ordered_at": instant_of("2025-03-01T10:00:00Z"), "post_on_order_date": asked, "refunded_at": at}
    scene.do(order(scene, refunded=OrderRefund("4.82"), **told))
    [(booked, amount)] = posted(scene, "4100")
    assert (booked, amount) == (day or today(scene), 450)


def test_news_of_an_order_is_booked_when_it_comes(scene: Scene) -> None:
    """Months may lie between the order and its refund: nothing is put into months that were reported."""
    told = {"ordered_at": instant_of("2025-03-01T10:00:00Z"), "post_on_order_date": True}
    scene.do(order(scene, **told))
    scene.do(order(scene, refunded=OrderRefund("4.82"), **told))
    assert posted(scene, "4100") == [(today(scene), 450)]


def posted(scene: Scene, account: str) -> list[tuple[str, int]]:
    found = scene.shop.rows("SELECT account, day, amount FROM posting ORDER BY entry_id, position")
    return [(row["day"], row["amount"]) for row in found if row["account"] == account]


def today(scene: Scene) -> str:
    """The day on which the goods left the books."""
    return posted(scene, "5000")[0][0]
