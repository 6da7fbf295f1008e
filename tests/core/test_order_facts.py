"""Orders that state their money: it is taken as it is, by rate, and shared out in proportion; lines that wait for their
product. See docs/how-to/import.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.check import check
from holdfast.core.organisation.periods import ClosePeriod
from holdfast.core.organisation.settings import AddTaxRate
from holdfast.core.records.stated import StatedPart, StatedTax, implied_rate, reading_of, stated_receipt
from holdfast.core.records.time import instant_of
from holdfast.core.sales.cart import AddLine, CancelSale, EditLine, RemoveLine
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import FeeRequest, LineRequest
from holdfast.core.sales.order_facts import OrderedLine, OrderFacts, OrderTax
from holdfast.core.sales.order_import import ImportOrder
from holdfast.core.sales.order_refunds import OrderRefund
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from tests.core.books import balances, book_faults, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

SHIPPING = (FeeRequest("Shipping", "5.00"),)
NY = (OrderTax("NY 8%", "2.00", "0.08"),)


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """Mugs at 9.90 with 25 percent here: what files state is always something else."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.do(AddTaxRate(tax_class="std", rate="0.25", name="VAT"))
        scene.product("MUG-1", price=990, tax_class="std")
        scene.product("DISH-1", price=500, tax_class="std")
        scene.given("MUG-1 MAIN  A 50 @1.00\nDISH-1 MAIN  B 50 @1.00")
        yield scene
        assert_truth(shop)
        assert check(shop.holdfast.database).mismatches == []
        assert book_faults(shop) == []
        assert sale_faults(shop) == []


def order(scene: Scene, *lines: OrderedLine, number: str = "#1", **fields: Any) -> ImportOrder:
    """An order of Shopify in the store MAIN."""
    return ImportOrder(number, "shopify", lines, scene.shop.stores["MAIN"], **fields)


def mugs(units: int, price: str = "20.00", **fields: Any) -> OrderedLine:
    return OrderedLine("MUG-1", units, price, **fields)


def dish(units: int = 1, **fields: Any) -> OrderedLine:
    """A line of something that nobody knows here."""
    return OrderedLine(None, units, "10.00", title="Ring Dish", **fields)


def sale_of(scene: Scene, sale_id: str) -> dict[str, Any]:
    found = scene.shop.holdfast.reports.sale(scene.shop.org_id, sale_id)
    assert found is not None
    return dict(found)


def taxes(sale: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [tuple(tax.values()) for tax in sale["taxes"]]


# What is stated ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fields", "total", "tax"),
    [
        (
            mugs(1, fulfilled=1),
            {"fees": SHIPPING, "facts": OrderFacts("27.00", NY)},
            "27.00",
            ("NY 8%", "0.08", "25.00"),
        ),
        (
            mugs(1, fulfilled=1),
            {"facts": OrderFacts("20.00", (OrderTax("VAT 20%", "3.33", "0.20"),))},
            "20.00",
            ("VAT 20%", "0.20", "16.67"),
        ),
        (
            mugs(1, "100.00", fulfilled=1),
            {"fees": SHIPPING, "facts": OrderFacts("112.00", (OrderTax("Tax", "7.00"),))},
            "112.00",
            ("Tax", "0.07", "100.00"),
        ),
    ],
)
def test_total_and_tax_are_the_sources(
    scene: Scene, line: OrderedLine, fields: dict[str, Any], total: str, tax: tuple[str, str, str]
) -> None:
    taken = scene.do(order(scene, line, payment="other", **fields))
    assert (taken.status, taken.total, taken.difference) == ("completed", total, None)
    sale = sale_of(scene, taken.sale_id)
    assert [one[:3] for one in taxes(sale)] == [tax]
    books = balances(scene.shop)
    assert -books["2100"] == round(float(sale["tax_total"]) * 100)
    assert -books["4000"] == round((float(total) - float(sale["tax_total"])) * 100)
    assert scene.do(order(scene, line, payment="other", **fields)).brought == "unchanged"


def test_what_nothing_explains_is_a_difference_with_a_name(scene: Scene) -> None:
    more = scene.do(order(scene, mugs(1, fulfilled=1), facts=OrderFacts("22.00")))
    less = scene.do(order(scene, mugs(1, fulfilled=1), number="#2", fees=SHIPPING, facts=OrderFacts("3.00")))
    assert (more.total, more.difference) == ("22.00", "2.00")
    assert sale_of(scene, more.sale_id)["fees"][0]["name"] == "Difference"
    assert (less.total, less.difference) == ("3.00", "-22.00")
    refused = scene.refuses(order(scene, mugs(1), number="#3", facts=OrderFacts("-1.00")), "INVALID_AMOUNT")
    assert refused.numbers["field"] == "total"


def test_what_is_unpaid_there_is_receivable_and_a_refund_is_set_against_it(scene: Scene) -> None:
    facts = OrderFacts("20.00", unpaid="15.00")
    taken = scene.do(order(scene, mugs(1, fulfilled=1), payment="cash", facts=facts, refunded=OrderRefund("4.00")))
    sale = sale_of(scene, taken.sale_id)
    assert (sale["paid"], sale["stated"]["refunded"], sale["stated"]["unpaid"]) == ("5.00", "4.00", "15.00")
    books = balances(scene.shop)
    assert (books["1000"], books["1100"], books["4000"], books["4100"]) == (500, 1100, -2000, 400)


def test_a_tip_goes_to_the_staff_and_bears_no_tax(scene: Scene) -> None:
    fees = (FeeRequest("Tip", "5.00", tip=True),)
    facts = OrderFacts("26.60", (OrderTax("Tax", "1.60"),))
    taken = scene.do(order(scene, mugs(1, fulfilled=1), fees=fees, facts=facts))
    assert taxes(sale_of(scene, taken.sale_id)) == [("Tax", "0.08", "20.00", "1.60")]
    assert balances(scene.shop)["2300"] == -500


def test_lines_have_taxes_of_their_own(scene: Scene) -> None:
    lines = (
        OrderedLine("MUG-1", 2, gross="42.01", discount="2.00", taxes=(OrderTax("Tax", "3.36"),), fulfilled=2),
        OrderedLine("DISH-1", 1, "5.00", taxable=False, fulfilled=1),
    )
    taken = scene.do(order(scene, *lines, fees=SHIPPING, facts=OrderFacts("53.77", (OrderTax("Shipping", "0.40"),))))
    sale = sale_of(scene, taken.sale_id)
    assert (taken.total, taken.difference, sale["tax_total"]) == ("53.77", None, "3.76")
    assert [line["tax"] for line in sale["lines"]] == ["3.36", "0.00"]
    assert sale["lines"][0]["unit_price"] == "21.01"


def test_the_date_is_kept_and_searched(scene: Scene) -> None:
    day = instant_of("2025-03-01T10:00:00Z")
    assert day is not None
    taken = scene.do(order(scene, mugs(1), facts=OrderFacts("20.00"), ordered_at=day))
    scene.do(order(scene, mugs(1), number="#2"))
    assert sale_of(scene, taken.sale_id)["ordered_at"] == "2025-03-01T10:00:00.000000Z"


def test_the_books_have_the_money_on_the_days_that_are_asked_for(scene: Scene) -> None:
    """On the day of the import; on the order's where that is asked for and open. Goods leave the books today."""
    day = instant_of("2025-03-01T10:00:00Z")
    rest: dict[str, Any] = {"facts": OrderFacts("20.00"), "ordered_at": day}
    scene.do(order(scene, mugs(1, fulfilled=1), **rest))
    scene.do(order(scene, mugs(1, fulfilled=1), number="#2", post_on_order_date=True, **rest))
    scene.do(ClosePeriod("2025-03-31"))
    scene.do(order(scene, mugs(1, fulfilled=1), number="#3", post_on_order_date=True, **rest))
    found = scene.shop.rows("SELECT account, day, amount FROM posting ORDER BY account, day, amount")
    days = {(row["account"], row["day"]): row["amount"] for row in found if row["account"] in ("4000", "5000")}
    today = max(day for _, day in days)
    assert [(account, day) for account, day in days] == [("4000", "2025-03-01"), ("4000", today), ("5000", today)]


# In proportion -------------------------------------------------------------------------------------------------------


def test_parts_share_the_stated_money_in_proportion(scene: Scene) -> None:
    """3 mugs with 1.00 of tax and 1.00 of shipping: shipped one by one, returned one by one, all of it in the end."""
    facts = OrderFacts("62.00", (OrderTax("Tax", "1.00"),))
    taken = scene.do(order(scene, mugs(3), fees=(FeeRequest("Shipping", "1.00"),), facts=facts))
    [line] = sale_of(scene, taken.sale_id)["lines"]
    for _ in range(3):
        done = scene.do(Fulfill(taken.sale_id, (ShipLine(line["id"], 1),)))
    assert (done.status, done.total, done.tax_total) == ("completed", "62.00", "1.00")
    back = [scene.do(ReturnSale(taken.sale_id, (ReturnedLine(line["id"], 1),), "other")) for _ in range(3)]
    assert sum(round(float(one.refund_total) * 100) for one in back) == 6200
    books = balances(scene.shop)
    assert books.get("2100", 0) == books.get("1100", 0) == 0


def test_a_cancelled_rest_takes_its_proportion_along(scene: Scene) -> None:
    facts = OrderFacts("64.80", (OrderTax("Tax", "4.80"),))
    taken = scene.do(order(scene, mugs(3), facts=facts))
    [line] = sale_of(scene, taken.sale_id)["lines"]
    less = scene.do(EditLine(taken.sale_id, line["id"], quantity=2))
    assert (less.total, less.tax_total) == ("43.20", "3.20")
    scene.do(Fulfill(taken.sale_id, (ShipLine(line["id"], 1),)))
    done = scene.do(CancelSale(taken.sale_id))
    assert (done.status, done.total, done.tax_total) == ("completed", "21.60", "1.60")


def test_what_is_changed_here_is_priced_here(scene: Scene) -> None:
    facts = OrderFacts("21.60", (OrderTax("Tax", "1.60"),))
    taken = scene.do(order(scene, mugs(1), facts=facts))
    more = scene.do(AddLine(taken.sale_id, LineRequest("DISH-1", 1)))
    assert (more.total, more.stated.changed, more.stated.total) == ("31.25", True, "21.60")


def test_a_line_that_goes_takes_its_money_along(scene: Scene) -> None:
    facts = OrderFacts("27.00", (OrderTax("Tax", "2.00"),))
    taken = scene.do(order(scene, mugs(1), OrderedLine("DISH-1", 1, "5.00"), facts=facts))
    lines = sale_of(scene, taken.sale_id)["lines"]
    left = scene.do(RemoveLine(taken.sale_id, lines[1]["id"]))
    assert (left.total, left.tax_total, left.stated.changed) == ("21.60", "1.60", False)


# Lines that wait for their product -----------------------------------------------------------------------------------


@pytest.mark.parametrize("facts", [None, OrderFacts("54.00", (OrderTax("Tax", "4.00", "0.08"),))])
def test_a_line_waits_for_its_product_and_its_order_goes_on(scene: Scene, facts: OrderFacts | None) -> None:
    known, unknown = mugs(2, fulfilled=2), dish(fulfilled=1)
    first = scene.do(order(scene, known, unknown, payment="other", facts=facts))
    assert (first.status, first.unmapped) == ("suspended", (1,))
    sale = sale_of(scene, first.sale_id)
    assert [(line["title"], line["quantity"]) for line in sale["unmapped_lines"]] == [("Ring Dish", "1")]
    assert [line["fulfilled"] for line in sale["lines"]] == [2]
    assert scene.do(order(scene, known, unknown, payment="other", facts=facts)).brought == "unchanged"
    scene.refuses(CompleteSale(first.sale_id), "INVALID_STATE")
    found = OrderedLine("DISH-1", 1, "10.00", title="Ring Dish", fulfilled=1)
    done = scene.do(order(scene, known, found, payment="other", facts=facts))
    assert (done.brought, done.status, done.unmapped) == ("changed", "completed", ())
    assert done.total == ("54.00" if facts else "62.50"), "what is not stated is priced here"
    scene.stands("DISH-1 MAIN B 49/0\nMUG-1 MAIN A 48/0\n#1 consumed 2\n#1 consumed 1")
    again = scene.do(order(scene, known, found, payment="other", facts=facts))
    assert (again.brought, again.total) == ("unchanged", done.total)
    assert scene.do(order(scene, known, unknown, payment="other", facts=facts)).brought == "unchanged"


def test_a_line_becomes_known_before_anything_went_out(scene: Scene) -> None:
    taken = scene.do(order(scene, mugs(1), dish(2)))
    assert (taken.total, taken.unmapped) == ("25.00", (1,))
    found = scene.do(order(scene, mugs(1), OrderedLine("DISH-1", 2, "10.00")))
    assert (found.brought, found.total, found.unmapped) == ("changed", "50.00", ())
    scene.stands("DISH-1 MAIN B 50/2\nMUG-1 MAIN A 50/1\n#1 A 1\n#1 B 2")


def test_an_order_of_nothing_that_is_known_waits_whole(scene: Scene) -> None:
    taken = scene.do(order(scene, dish(fulfilled=1), fees=SHIPPING, facts=OrderFacts("15.00")))
    assert (taken.status, taken.total, taken.stated_total) == ("suspended", "5.00", "15.00")
    cancelled = scene.do(order(scene, dish(), number="#2", cancelled=True, facts=OrderFacts("10.00")))
    assert cancelled.status == "cancelled"
    known = OrderedLine("DISH-1", 1, "10.00", fulfilled=1)
    assert scene.do(order(scene, known, fees=SHIPPING, facts=OrderFacts("15.00"))).total == "15.00"


def test_another_quantity_is_another_order(scene: Scene) -> None:
    scene.do(order(scene, mugs(1), dish(2)))
    scene.refuses(order(scene, mugs(1), dish(3)), "ALREADY_EXISTS")
    scene.refuses(order(scene, mugs(1), OrderedLine("DISH-1", 3, "10.00")), "ALREADY_EXISTS")


# The arithmetic ------------------------------------------------------------------------------------------------------


def test_the_roundest_rate_is_found() -> None:
    assert implied_rate(160, 2000, 1) == 80_000
    assert implied_rate(177, 2000, 1) == 88_500
    assert implied_rate(333, 1667, 1) == 200_000
    assert implied_rate(300, 4350, 1) == 69_000
    assert implied_rate(5, 0, 1) == 0


amounts = st.integers(0, 100_000)


@given(
    lines=st.lists(st.tuples(amounts, st.booleans()), min_size=1, max_size=6),
    fees=st.lists(amounts, max_size=3),
    stated=st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from([None, 50_000, 200_000])), max_size=3),
    less=st.integers(0, 100),
    included=st.booleans(),
)
def test_what_is_stated_is_spread_and_nothing_is_lost(
    lines: list[tuple[int, bool]],
    fees: list[int],
    stated: list[tuple[int, int | None]],
    less: int,
    included: bool,
) -> None:
    parts = [StatedPart(gross, taxable=taxable) for gross, taxable in lines]
    off = sum(gross for gross, _ in lines) * less // 100
    given_taxes = [StatedTax(f"tax {index}", amount, rate) for index, (amount, rate) in enumerate(stated)]
    receipt = stated_receipt(parts, [StatedPart(fee) for fee in fees], less=off, taxes=given_taxes, included=included)
    tax = sum(one.amount for one in given_taxes)
    net = sum(gross for gross, _ in lines) - off + sum(fees)
    assert receipt.tax_total == tax
    assert receipt.total == (net if included else net + tax)
    for one in given_taxes:
        borne = [
            share.tax for part in [*receipt.lines, *receipt.fees] for share in part.taxes if share.name == one.name
        ]
        assert sum(borne) == one.amount
    read = reading_of(net - sum(fees), sum(fees), tax, receipt.total, None)
    assert read.difference == 0


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2_000), st.booleans()), min_size=1, max_size=3),
    tax=st.integers(0, 900),
    shipping=st.integers(0, 700),
    off=st.integers(-300, 300),
    data=st.data(),
)
def test_any_parts_of_an_order_are_all_of_it(
    scene: Scene, lines: list[tuple[int, int, bool]], tax: int, shipping: int, off: int, data: st.DataObject
) -> None:
    """Brought in any steps (mapped, shipped, returned), the order comes to what it states, and back to nothing."""
    number = f"#{scene.shop.rows('SELECT count(*) AS n FROM sale')[0]['n']}"
    net = sum(quantity * price for quantity, price, _ in lines)
    total = max(net + shipping + tax + off, tax)
    facts = OrderFacts(f"{total / 100:.2f}", (OrderTax("Tax", f"{tax / 100:.2f}"),), tax_included=False)
    fees = (FeeRequest("Shipping", f"{shipping / 100:.2f}"),)
    before = balances(scene.shop)

    def bring(known: bool, gone: list[int], back: list[int]) -> Any:
        asked = tuple(
            OrderedLine(
                "MUG-1" if known or here else None, quantity, f"{price / 100:.2f}", fulfilled=out, returned=returned
            )
            for (quantity, price, here), out, returned in zip(lines, gone, back, strict=True)
        )
        return scene.do(order(scene, *asked, number=number, fees=fees, facts=facts, payment="card"))

    gone, none = [0] * len(lines), [0] * len(lines)
    taken = bring(False, gone, none)
    assert taken.stated_total == f"{total / 100:.2f}"
    for _ in range(data.draw(st.integers(0, 3))):
        gone = [data.draw(st.integers(out, quantity)) for out, (quantity, _, _) in zip(gone, lines, strict=True)]
        bring(data.draw(st.booleans()), gone, none)
    everything = [quantity for quantity, _, _ in lines]
    done = bring(True, everything, none)
    assert (done.status, done.total) == ("completed", f"{total / 100:.2f}")
    moved = {name: amount - before.get(name, 0) for name, amount in balances(scene.shop).items()}
    assert (moved.get("2100", 0), moved.get("4000", 0)) == (-tax, tax - total)
    half = [data.draw(st.integers(0, quantity)) for quantity in everything]
    bring(True, everything, half)
    bring(True, everything, everything)
    after = {name: amount - before.get(name, 0) for name, amount in balances(scene.shop).items()}
    assert all(after.get(name, 0) == 0 for name in ("1100", "2100", "1200"))
