"""Orders from elsewhere over HTTP, on both databases: what they state, when they were ordered, what waits."""

from __future__ import annotations

from typing import Any

from holdfast.check import check
from holdfast.core.records.time import instant_of
from holdfast.core.sales.order_facts import OrderedLine, OrderFacts, OrderTax
from holdfast.core.sales.order_import import ImportOrder
from holdfast.core.sales.order_refunds import OrderRefund
from holdfast.db.organisations import clock
from holdfast.db.upkeep.day_ends import keep_day_ends
from holdfast.organisation import command_line
from tests.api.conftest import Shop
from tests.api.test_sales import SALES, _act, _ok, _refused


def _bring(shop: Shop, number: str, *lines: OrderedLine, **fields: Any) -> Any:
    return shop.holdfast.do(command_line(shop.made.org_id), ImportOrder(number, "etsy", lines, **fields)).answer


def _numbers(shop: Shop, query: str) -> list[str]:
    return [sale["order_number"] for sale in _ok(shop.owner.get(f"{SALES}?{query}"))["items"]]


def test_what_an_order_states_and_what_waits_of_it(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9, price="9.00")
    facts = OrderFacts("33.00", (OrderTax("Sales tax", "3.00"),), unpaid="10.00")
    mug, dish = OrderedLine("MUG-1", 1, "20.00", fulfilled=1), OrderedLine(None, 1, "10.00", title="Ring Dish")
    day = instant_of("2025-03-01T10:00:00Z")

    taken = _bring(shop, "A", mug, dish, facts=facts, ordered_at=day, payment="other", refunded=OrderRefund("1.00"))
    _bring(shop, "B", OrderedLine("MUG-1", 1), ordered_at=instant_of("2025-04-01T10:00:00Z"))
    _bring(shop, "C", OrderedLine("MUG-1", 1, title="My mug"))

    sale = _ok(shop.owner.get(f"{SALES}/{taken.sale_id}"))
    assert sale["ordered_at"] == "2025-03-01T10:00:00.000000Z"
    assert sale["stated"] == {
        "total": "33.00",
        "tax_total": "3.00",
        "refunded": "1.00",
        "unpaid": "10.00",
        "difference": "0.00",
        "changed": False,
    }
    [waiting] = sale["unmapped_lines"]
    assert (waiting["title"], waiting["line_total"], sale["total"]) == ("Ring Dish", "11.00", "22.00")
    assert _refused(_act(shop.owner, sale, "complete", {"payments": []})) == (409, "INVALID_STATE")
    assert _numbers(shop, "unmapped=true") == ["A"]
    assert _numbers(shop, "ordered_to=2025-04-01T00:00:00Z") == ["A"]
    assert _numbers(shop, "ordered_from=2025-03-02T00:00:00Z&ordered_to=2025-05-01T00:00:00Z") == ["B"]
    assert _numbers(shop, "ordered_from=2025-05-01T00:00:00Z") == ["C"]
    [third] = _ok(shop.owner.get(f"{SALES}?order_number=C"))["items"]
    assert third["lines"][0]["title"] == "My mug"

    shop.product("DISH-1", 9, price="9.00")
    known = OrderedLine("DISH-1", 1, "10.00", fulfilled=1, title="Ring Dish")
    done = _bring(shop, "A", mug, known, facts=facts, payment="other")
    assert (done.status, done.total, done.unmapped) == ("completed", "33.00", ())
    assert _ok(shop.owner.get(f"{SALES}/{taken.sale_id}"))["paid"] == "23.00"
    assert _numbers(shop, "unmapped=true") == []
    assert check(shop.holdfast.database).ok


def test_money_on_the_day_of_the_order(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9, price="9.00")
    line = OrderedLine("MUG-1", 1, "20.00", fulfilled=1)
    at = instant_of("2025-03-01T10:00:00Z")
    facts = OrderFacts("21.60", (OrderTax("Tax", "1.60"),))
    _bring(shop, "A", line, facts=facts, ordered_at=at, post_on_order_date=True)

    def balances(as_of: str) -> dict[str, str]:
        rows = _ok(shop.owner.get(f"/api/v1/trial-balance?as_of={as_of}"))["items"]
        return {row["account"]: row["balance"] for row in rows if row["balance"] != "0.00"}

    then = {"1100": "21.60", "2100": "-1.60", "4000": "-20.00"}
    assert balances("2025-02-28") == {}
    assert balances("2025-03-31") == balances("2025-03-01") == then
    now = balances("2099-01-01")
    assert (now["4000"], now["5000"]) == ("-20.00", "3.50")
    report = _ok(shop.owner.get("/api/v1/tax-report?from=2025-03-01&to=2025-03-31"))
    assert (report["total_tax"], report["items"][0]["rate"]) == ("1.60", "0.08")
    assert _ok(shop.owner.get("/api/v1/tax-report?from=2025-04-01&to=2025-04-30"))["total_tax"] == "0.00"
    keep_day_ends(shop.holdfast.database, clock(shop.holdfast.database))
    assert balances("2025-03-31") == then
    assert balances("2025-03-31T12:00:00Z") == {}, "nothing was posted by then"
    assert check(shop.holdfast.database).ok
