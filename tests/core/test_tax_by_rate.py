"""Tax by rate from the cart to the books, tips, and prices of so many units together.

See docs/how-to/sell.md and docs/how-to/books.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.check import check
from holdfast.core.decide import CommandGroup
from holdfast.core.organisation.products import AddProduct, ChangeProduct, PriceBreakRequest
from holdfast.core.organisation.settings import AddRegister, AddTaxRate, ChangeSettings
from holdfast.core.sales.cart import CancelSale, ChangeSale, EditLine
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.order_entry import FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import OpenSession
from holdfast.core.sales.returns import BlindLine, MoneyOff, ReturnBlind, ReturnedLine, ReturnSale
from tests.core.books import balances, book_faults, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """Tools at 10.00 with GST 5 and PST 7 percent, books at 10.01 with GST alone, both on top."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        for tax_class, name, rate in (("tools", "GST", "0.05"), ("tools", "PST", "0.07"), ("books", "GST", "0.05")):
            scene.do(AddTaxRate(tax_class=tax_class, rate=rate, name=name))
        scene.product("TOOL-1", price=1000, tax_class="tools")
        scene.product("BOOK-1", price=1001, tax_class="books")
        scene.given("TOOL-1 MAIN  A 50 @1.00\nBOOK-1 MAIN  B 50 @1.00")
        yield scene
        assert_truth(shop)
        assert check(shop.holdfast.database).mismatches == []
        assert book_faults(shop) == []
        assert sale_faults(shop) == []


def order(scene: Scene, tools: int, books: int, **fields: Any) -> Any:
    lines = (LineRequest("TOOL-1", tools), LineRequest("BOOK-1", books))
    return scene.do(OpenSale(scene.shop.stores["MAIN"], lines=lines, **fields))


def shares(documents: Any) -> list[tuple[str, str, str, str]]:
    return [(one.name, one.rate, one.net, one.tax) for one in documents]


def report(scene: Scene, **options: Any) -> list[tuple[Any, ...]]:
    """The tax report of all days; its taxes together are the balance of 2100."""
    found = scene.shop.holdfast.reports.tax_report(scene.shop.org_id, from_="2020-01-01", to="2040-01-01", **options)
    assert found is not None
    if not options:
        total = sum(-amount for account, amount in balances(scene.shop).items() if account == "2100")
        assert found["total_tax"] == f"{total / 100:.2f}"
    return [tuple(row.values()) for row in found["items"]]


def test_a_sale_says_its_tax_by_rate_everywhere(scene: Scene) -> None:
    """2 tools and 1 book: GST on both, PST on the tools."""
    sale = order(scene, 2, 1)
    expected = [("GST", "0.05", "30.01", "1.50"), ("PST", "0.07", "20.00", "1.40")]
    assert shares(sale.taxes) == expected
    assert shares(sale.lines[0].taxes) == [("GST", "0.05", "20.00", "1.00"), ("PST", "0.07", "20.00", "1.40")]
    assert (sale.lines[0].tax_class, sale.tax_total, sale.total) == ("tools", "2.90", "32.91")
    done = scene.do(CompleteSale(sale.id, (PaymentRequest("cash", "32.91"),)))
    assert shares(done.receipt["taxes"]) == expected
    assert report(scene) == [("GST", "0.05", "30.01", "1.50", "31.51"), ("PST", "0.07", "20.00", "1.40", "21.40")]


def test_a_name_is_once_in_a_class_and_a_store(scene: Scene) -> None:
    for name in ("GST", None):
        scene.refuses(AddTaxRate(tax_class="tools", rate="0.09", name=name), "ALREADY_EXISTS")
    scene.refuses(AddTaxRate(tax_class="TOOLS", rate="0.09", name="GST", store_id="NONE"), "STORE_NOT_FOUND")
    scene.do(AddTaxRate(tax_class="tools", rate="0.13", name="HST", store_id="MAIN"))
    assert shares(order(scene, 1, 1).lines[0].taxes) == [("HST", "0.13", "10.00", "1.30")]


def test_parts_of_a_sale_book_its_tax_by_rate_and_come_to_it(scene: Scene) -> None:
    """Shipped one by one, one shipment taken back and shipped again, the rest cancelled."""
    sale = order(scene, 3, 3)
    for _ in range(2):
        for line in sale.lines:
            scene.do(Fulfill(sale.id, (ShipLine(line.id, 1),)))
    part = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),))).fulfillments[-1]
    assert [(row[0], row[3]) for row in report(scene)] == [("GST", "2.50"), ("PST", "2.10")]
    scene.do(RevertShipment(sale.id, part["id"], "wrong parcel"))
    assert [(row[0], row[2], row[3]) for row in report(scene)] == [("GST", "40.02", "2.00"), ("PST", "20.00", "1.40")]
    done = scene.do(CancelSale(sale.id))
    assert done.status == "completed"
    assert [(row[0], row[3]) for row in report(scene)] == [(one.name, one.tax) for one in done.taxes]


def test_a_line_that_is_made_smaller_leaves_the_books_what_the_sale_says(scene: Scene) -> None:
    """6 screws at 3.33: GST 1.00 and PST 1.40. Of 2 it is 0.33 and 0.47; of 2 of the 4 that are left, 0.34 and 0.46."""
    scene.product("SCREW-1", price=333, tax_class="tools")
    scene.given("SCREW-1 MAIN  C 50 @1.00")
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("SCREW-1", 6),)))
    line = sale.lines[0].id
    scene.do(Fulfill(sale.id, (ShipLine(line, 2),)))
    assert [row[3] for row in report(scene)] == ["0.33", "0.47"]
    scene.do(EditLine(sale.id, line, quantity=4))
    for _ in range(2):
        done = scene.do(Fulfill(sale.id, (ShipLine(line, 1),)))
    assert [one.tax for one in done.taxes] == ["0.67", "0.93"]
    assert [row[3] for row in report(scene)] == ["0.67", "0.93"]


def test_all_of_it_in_any_parts_takes_all_of_the_tax_back(scene: Scene) -> None:
    scene.do(ChangeSettings(tax_mode="inclusive"))
    sale = order(scene, 3, 3, fees=(FeeRequest("Delivery", "4.99", "tools"),))
    scene.do(CompleteSale(sale.id, (PaymentRequest("card", sale.total),)))
    for _ in range(3):
        lines = tuple(ReturnedLine(line.id, 1) for line in sale.lines)
        made = scene.do(ReturnSale(sale.id, lines, "card"))
        assert {one.name for one in made.taxes} == {"GST", "PST"}
    assert {row[0]: row[2:4] for row in report(scene)} == {"GST": ("0.00", "0.00"), "PST": ("0.00", "0.00")}


def test_goods_without_a_receipt_take_todays_rates_back(scene: Scene) -> None:
    made = scene.do(ReturnBlind(scene.shop.stores["MAIN"], (BlindLine("TOOL-1", 1, "11.20"),), "card"))
    assert shares(made.taxes) == [("GST", "0.05", "10.00", "0.50"), ("PST", "0.07", "10.00", "0.70")]
    assert report(scene) == [("GST", "0.05", "-10.00", "-0.50", "-10.50"), ("PST", "0.07", "-10.00", "-0.70", "-10.70")]


def test_the_net_that_comes_back_is_the_money_without_its_tax(scene: Scene) -> None:
    """Seven books, 70.07 and 3.50, come back one by one: each time net and tax are what is refunded."""
    sale = order(scene, 1, 7)
    scene.do(CompleteSale(sale.id, (PaymentRequest("other", sale.total),)))
    for _ in range(7):
        back = scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[1].id, 1),), "other"))
        [share] = back.taxes
        assert Decimal(share.net) + Decimal(share.tax) == Decimal(back.refund_total)
    assert report(scene)[0] == ("GST", "0.05", "10.00", "0.50", "10.50"), "the tool alone"


def test_money_off_knows_goods_from_their_delivery(scene: Scene) -> None:
    """80.00 of books at 5 percent, 20.00 to deliver them at 12, and 10.00 without tax: a tenth is given off, and no net
    is there twice."""
    scene.product("SET-1", price=8000, tax_class="books")
    scene.given("SET-1 MAIN  S 1 @9.00")
    fees = (FeeRequest("Delivery", "20.00", "tools"), FeeRequest("Insurance", "10.00"))
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("SET-1", 1),), fees=fees))
    assert sale.total == "116.40"
    scene.do(CompleteSale(sale.id, (PaymentRequest("card", "116.40"),)))
    off = scene.do(MoneyOff(sale.id, "11.64", "scratched", "card"))
    assert shares(off.taxes) == [("GST", "0.05", "10.00", "0.50"), ("PST", "0.07", "2.00", "0.14")]
    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "card"))
    assert all(row[3] == "0.00" for row in report(scene)), "and the rest came back with the goods"


@pytest.mark.parametrize(
    ("mode", "as_priced", "refund", "tax"),
    [
        ("exclusive", False, "20.02", "0.95"),
        ("exclusive", True, "21.02", "1.00"),
        ("inclusive", True, "20.02", "0.95"),
    ],
)
def test_goods_without_a_receipt_at_the_price_of_the_catalogue(
    scene: Scene, mode: str, *, as_priced: bool, refund: str, tax: str
) -> None:
    """Where prices are without tax, what comes back at such a price is refunded with its tax."""
    scene.shop.settings(tax_mode=mode)
    line = BlindLine("BOOK-1", 2, "10.01", as_priced=as_priced)
    back = scene.do(ReturnBlind(scene.shop.stores["MAIN"], (line,), "other"))
    assert (back.refund_total, back.taxes[0].tax) == (refund, tax)


@pytest.mark.parametrize("mode", ["exclusive", "inclusive"])
def test_an_exempt_sale(scene: Scene, mode: str) -> None:
    """Who may set prices says why; its net is reported without tax; with the reason gone it is taxed again."""
    scene.do(ChangeSettings(tax_mode=mode))
    staff = scene.shop.staff
    sale = order(scene, 1, 1)
    scene.refuses(ChangeSale(sale.id, tax_exempt="diplomat"), "PRICE_MISMATCH", actor=staff)
    exempt = scene.do(ChangeSale(sale.id, tax_exempt="diplomat"))
    assert (exempt.tax_total, exempt.total) == ("0.00", "20.01" if mode == "exclusive" else "18.46")
    assert exempt.tax_exempt == {"reason": "diplomat", "amount": "0.00" if mode == "exclusive" else "1.55"}
    assert scene.do(ChangeSale(sale.id, tax_exempt=None)).tax_total == sale.tax_total
    scene.do(ChangeSale(sale.id, tax_exempt="diplomat"))
    scene.do(CompleteSale(sale.id, (PaymentRequest("card", exempt.total),)))
    assert [row[:4] for row in report(scene)] == [("exempt", "0.00", exempt.total, "0.00")]
    scene.do(ReturnSale(sale.id, tuple(ReturnedLine(line.id, 1) for line in sale.lines), "card"))
    assert report(scene) == [("exempt", "0.00", "0.00", "0.00", "0.00")]


def test_a_rate_that_was_refused_with_its_group_taxes_nothing(scene: Scene) -> None:
    """What a group has made is gone with it, also from what its neighbours in the batch know."""
    group = CommandGroup(
        (
            AddTaxRate(tax_class="books", rate="0.5", name="NEW"),
            OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("BOOK-1", 1),)),
            OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("NOTHING", 1),)),
        )
    )
    sale = OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("BOOK-1", 1),))
    outer = scene.do(CommandGroup((group, sale), atomic=False))
    assert shares(outer[1].taxes) == [("GST", "0.05", "10.01", "0.50")]


def test_rounded_by_total(scene: Scene) -> None:
    """10.00, 10.00, 5.05 and 5.05 at 10 percent: 0.51 and 0.51 by line, 1.01 by total."""
    scene.do(AddTaxRate(tax_class="plain", rate="0.1", name="VAT"))
    for sku, price in (("BIG-1", 1000), ("SMALL-1", 505)):
        scene.product(sku, price=price, tax_class="plain")
        scene.given(f"{sku} MAIN  {sku} 9 @1.00")
    lines = tuple(LineRequest(sku, 1) for sku in ("BIG-1", "BIG-1", "SMALL-1", "SMALL-1"))
    totals = {}
    for rounding in ("line", "total"):
        scene.do(ChangeSettings(tax_rounding=rounding))
        sold = scene.do(Checkout(scene.shop.stores["MAIN"], lines, payments=(PaymentRequest("cash", "50.00"),)))
        totals[rounding] = sold.tax_total
    assert totals == {"line": "3.02", "total": "3.01"}


def test_the_drawer_knows_its_tax_by_rate(scene: Scene) -> None:
    """The Z report: sales less returns."""
    register = scene.do(AddRegister(store_id=scene.shop.stores["MAIN"], code="R1"))
    session = scene.do(OpenSession(register.id, "50.00", "h", "user:ana", ""))
    till = replace(scene.shop.staff, stores=(scene.shop.stores["MAIN"],), session_id=session.id)
    sold = scene.do(
        Checkout(
            scene.shop.stores["MAIN"],
            (LineRequest("TOOL-1", 2),),
            payments=(PaymentRequest("cash", "30.00"),),
        ),
        actor=till,
    )
    scene.do(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1),), "cash"), actor=till)
    reports = scene.shop.holdfast.reports
    [shown] = reports.register_sessions(scene.shop.org_id, register.id).items
    assert [(one["name"], one["net"], one["tax"]) for one in shown["taxes"]] == [
        ("GST", "10.00", "0.50"),
        ("PST", "10.00", "0.70"),
    ]


def test_a_store_is_reported_alone(scene: Scene) -> None:
    sale = order(scene, 1, 1)
    scene.do(CompleteSale(sale.id))
    assert report(scene, stores=frozenset({scene.shop.stores["EAST"]})) == []
    assert len(report(scene, stores=frozenset({scene.shop.stores["MAIN"]}))) == 2


# Tips and prices of so many units together ---------------------------------------------------------------------------


def test_a_tip_is_owed_to_the_staff_and_goes_back_with_the_goods(scene: Scene) -> None:
    """Everybody may take one, it has no tax, and account 2300 has it; paid out of the drawer it is gone."""
    cashier = scene.shop.cashier
    store = scene.shop.stores["MAIN"]
    tip, fee = FeeRequest("Tip", "3.00", tip=True), FeeRequest("Bag", "0.10")
    lines = (LineRequest("BOOK-1", 2), LineRequest("TOOL-1", 1))
    cash = (PaymentRequest("cash", "50.00"),)
    scene.refuses(Checkout(store, lines, fees=(tip, fee), payments=cash), "PRICE_MISMATCH", actor=cashier)
    wrong = FeeRequest("Tip", "3.00", "tools", tip=True)
    scene.refuses(Checkout(store, lines, fees=(wrong,), payments=cash), "INVALID_REQUEST", actor=cashier)
    sold = scene.do(Checkout(store, lines, fees=(tip,), payments=cash), actor=cashier)
    assert (sold.total, sold.fees[0]["tip"], balances(scene.shop)["2300"]) == ("35.22", True, -300)
    scene.do(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1),), "cash"))
    part = balances(scene.shop)["2300"]
    assert -300 < part < 0
    scene.do(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1), ReturnedLine(sold.lines[1].id, 1)), "cash"))
    assert "2300" not in balances(scene.shop)


def test_three_for_ten(scene: Scene) -> None:
    """Groups at their price, the rest singly; another price has none; the refund is what was paid in proportion."""
    breaks = (PriceBreakRequest(3, "10.00"), PriceBreakRequest(6, "18.00"))
    scene.refuses(AddProduct("SOAP-2", price="4.00", price_breaks=(*breaks, breaks[0])), "INVALID_REQUEST")
    scene.refuses(AddProduct("SOAP-2", price="4.00", price_breaks=(PriceBreakRequest(1, "1.00"),)), "INVALID_REQUEST")
    scene.product("SOAP-1", price=400)
    scene.do(ChangeProduct(product_id="SOAP-1", price_breaks=breaks))
    scene.given("SOAP-1 MAIN  S 90 @1.00")
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("SOAP-1", 3),)))
    line = sale.lines[0].id
    assert (sale.total, sale.lines[0].unit_price) == ("10.00", "4.00")
    for units, total in ((1, "4.00"), (5, "18.00"), (6, "18.00"), (10, "32.00")):
        assert scene.do(EditLine(sale.id, line, quantity=units)).total == total
    assert scene.do(EditLine(sale.id, line, unit_price="3.90")).total == "39.00"
    assert scene.do(EditLine(sale.id, line, unit_price=None)).total == "32.00"
    assert scene.do(EditLine(sale.id, line, quantity=4)).total == "14.00"
    scene.do(CompleteSale(sale.id, (PaymentRequest("card", "14.00"),)))
    assert scene.do(ReturnSale(sale.id, (ReturnedLine(line, 1),), "card")).refund_total == "3.50"
    assert scene.do(ReturnSale(sale.id, (ReturnedLine(line, 3),), "card")).refund_total == "10.50"


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_whatever_happens_the_report_is_the_account(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Parts shipped, taken back, made smaller, cancelled, returned: by rate the parts are the whole; check agrees."""
    url = f"sqlite:///{tmp_path_factory.mktemp('rates') / 'scene.db'}"
    with quick_sqlite(), open_shop(url) as shop:
        scene = Scene(shop, None)
        mode = data.draw(st.sampled_from(["exclusive", "inclusive"]))
        scene.do(ChangeSettings(tax_mode=mode, tax_rounding=data.draw(st.sampled_from(["line", "total"]))))
        for tax_class, name, rate in (
            ("a", "GST", "0.05"),
            ("a", "PST", "0.07"),
            ("b", "GST", "0.05"),
            ("b", "X", "0"),
        ):
            scene.do(AddTaxRate(tax_class=tax_class, rate=rate, name=name))
        for sku, tax_class in (("A-1", "a"), ("B-1", "b"), ("C-1", None)):
            scene.product(sku, price=data.draw(st.integers(1, 2000)), tax_class=tax_class)
            scene.given(f"{sku} MAIN  {sku} 50 @1.00")
        fees = tuple(
            FeeRequest("F", data.draw(st.sampled_from(["0.01", "3.33"])), data.draw(st.sampled_from("ab")))
            for _ in "12"
        )
        lines = tuple(LineRequest(sku, data.draw(st.integers(1, 5))) for sku in ("A-1", "B-1", "C-1"))
        exempt = data.draw(st.sampled_from([None, None, "diplomat"]))
        sale = scene.do(OpenSale(shop.stores["MAIN"], lines=lines, fees=fees, tax_exempt=exempt))
        for _ in range(data.draw(st.integers(0, 8))):
            line = data.draw(st.sampled_from([line.id for line in sale.lines]))
            units = data.draw(st.integers(1, 5))
            act = data.draw(st.sampled_from(["ship", "ship", "revert", "smaller", "return"]))
            if act == "ship":
                shop.do(Fulfill(sale.id, (ShipLine(line, units),)))
            elif act == "smaller":
                shop.do(EditLine(sale.id, line, quantity=units))
            elif act == "return":
                shop.do(ReturnSale(sale.id, (ReturnedLine(line, units),), "other"))
            else:
                shown = shop.holdfast.reports.sale(shop.org_id, sale.id)
                for part in (shown["fulfillments"] or [])[-1:]:
                    shop.do(RevertShipment(sale.id, part["id"], "drawn"))
        shop.do(data.draw(st.sampled_from([CompleteSale(sale.id), CancelSale(sale.id)])))
        for line in sale.lines:
            for units in (3, 2, 1, 1, 1):
                shop.do(ReturnSale(sale.id, (ReturnedLine(line.id, units),), "other"))
        rows = report(scene)
        assert all(tax == "0.00" for _, _, _, tax, _ in rows) or not _all_back(shop, sale.id)
        assert check(shop.holdfast.database).mismatches == []


def _all_back(shop: Any, sale_id: str) -> bool:
    """Has all that went out of the sale come back?"""
    shown = shop.holdfast.reports.sale(shop.org_id, sale_id)
    return all(line["returned"] == line["fulfilled"] for line in shown["lines"])
