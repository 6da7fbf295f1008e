"""import orders: each order once, as a whole or not at all, brought on by the next file; three formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.order_holds import OrderClose, OrderLine, OrderReserve
from holdfast.db.dry_run_copy import copy_organisation
from holdfast.db.engine import Database
from holdfast.import_export import dry_run
from tests.cli.conftest import Cli, Ran

PRODUCTS = """\
sku,title,kind,price,precision
MUG,Mug,physical,10.00,
TEA,Tea (kg),physical,20.00,2
HAT,Hat,physical,30.00,
WRAP,Gift wrap,service,1.00,
"""
STOCK = """\
sku,location,quantity,unit_cost
MUG,MAIN,10,3.00
TEA,MAIN,2.5,8.00
HAT,MAIN,1,12.00
"""


@pytest.fixture
def stocked(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / "stock.csv").write_text(STOCK)
    assert cli("import", "products", "products.csv", "--org", "Acme").code == 0
    assert cli("import", "stock", "stock.csv", "--org", "Acme").code == 0


def _ledger(cli: Cli) -> list[dict[str, Any]]:
    ran = cli("export", "ledger", "--org", "Acme", "--format", "json")
    entries: list[dict[str, Any]] = json.loads(ran.out)
    return [entry for entry in entries if entry["ref_type"] != "RECEIPT"]


def _moves(cli: Cli) -> list[tuple[str, str, float, float, str | None]]:
    """What happened to stock: (sku, kind, units on hand, units promised, order number)."""
    return [
        (entry["sku"], entry["ref_type"], entry["qty_delta"], entry["reserved_delta"], entry["order_number"])
        for entry in _ledger(cli)
    ]


def _clean(cli: Cli) -> bool:
    return cli("check", "--org", "Acme").code == 0


OWN = """\
order_number,status,customer,payment_method,order_discount,shipping,sku,quantity,unit_price,discount,fulfilled,returned
A-1,,Ana,card,1.00,4.50,MUG,2,9.00,1.00,,1
A-1,,,,,,WRAP,1,,,,
A-2,suspended,Bo,,,,MUG,3,,,1,
A-2,,,,,,TEA,0.25,,,,
A-3,cancelled,Cy,,,,HAT,1,,,,
"""


@pytest.mark.usefixtures("stocked")
def test_orders_become_sales_with_what_happened_to_them(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(OWN)

    ran = cli("import", "orders", "orders.csv", "--org", "Acme", "--json")

    assert ran.code == 0, ran.err
    told = ran.json
    assert (told["added"], told["changed"], told["skipped"], told["refused"]) == (3, 0, 0, 0)
    assert (told["returns"], told["waiting"], told["sold"]) == (1, 0, "56.50")  # 17 + 1 - 1 + 4.50 and 30 + 5
    assert _moves(cli) == [
        ("MUG", "SALE", -2, 0, "A-1"),
        ("MUG", "RETURN", 1, 0, "A-1"),
        ("MUG", "RESERVE", 0, 3, "A-2"),
        ("TEA", "RESERVE", 0, 0.25, "A-2"),
        ("MUG", "SALE", -1, -1, "A-2"),
        ("HAT", "RESERVE", 0, 1, "A-3"),
        ("HAT", "RELEASE", 0, -1, "A-3"),
    ]
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
def test_the_same_file_again_does_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(OWN)
    cli("import", "orders", "orders.csv", "--org", "Acme")
    before = _ledger(cli)

    again = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert (again.code, again.out) == (0, "orders: 3 unchanged, 0 refused.\n")
    assert _ledger(cli) == before


@pytest.mark.usefixtures("stocked")
def test_a_later_file_brings_on_what_is_new(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(OWN)
    cli("import", "orders", "orders.csv", "--org", "Acme")
    later = "order_number,status,sku,quantity,fulfilled,returned\nA-2,completed,MUG,3,,2\nA-2,,TEA,0.25,,\n"
    (tmp_path / "later.csv").write_text(later)

    ran = cli("import", "orders", "later.csv", "--org", "Acme")

    assert ran.out == "orders: 1 changed, 0 refused.\nreturns 1, refunded 20.00.\n"
    assert _moves(cli)[7:] == [
        ("MUG", "SALE", -2, -2, "A-2"),
        ("TEA", "SALE", -0.25, -0.25, "A-2"),
        ("MUG", "RETURN", 1, 0, "A-2"),
        ("MUG", "RETURN", 1, 0, "A-2"),
    ]
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_cancellation_after_the_sale_says_what_it_does_not_do(cli: Cli, tmp_path: Path, dry: tuple[str, ...]) -> None:
    (tmp_path / "orders.csv").write_text(OWN)
    cli("import", "orders", "orders.csv", "--org", "Acme")
    before = _ledger(cli)
    later = "order_number,status,sku,quantity\nA-1,cancelled,MUG,2\nA-1,,WRAP,1\nA-3,cancelled,HAT,1\n"
    (tmp_path / "later.csv").write_text(later)

    ran = cli("import", "orders", "later.csv", "--org", "Acme", *dry)

    assert (ran.code, ran.out) == (0, f"{'Would be: ' if dry else ''}orders: 2 unchanged, 0 refused.\n")
    assert ran.err == (
        "line 2: note: order A-1: it is sold here and stays so: a cancellation takes nothing back. For goods that came "
        "back import it as completed, with how many in `returned`, or record a return.\n"
    )
    assert _ledger(cli) == before


@pytest.mark.usefixtures("stocked")
def test_what_stock_lacks_waits_and_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_number,sku,quantity\nB-1,HAT,4\nB-1,MUG,1\n")

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert (ran.code, ran.err) == (0, "line 2: note: order B-1: 3 of HAT wait for stock.\n")
    assert ran.out == "orders: 1 added, 0 refused.\nwaiting 1, sold 130.00.\n"
    assert ("HAT", "SALE", -1, -1, "B-1") in _moves(cli) and _clean(cli)


TRIED = """\
order_number,status,customer,payment_method,sku,quantity,unit_price,discount,fulfilled,returned
A-2,completed,Bo,card,MUG,3,,,,1
A-2,,,,TEA,0.25,,,,
A-1,,Ana,card,MUG,2,9.00,1.00,,
A-1,,,,WRAP,1,,,,
D-1,,Di,cash,HAT,4,,,,
D-2,,Di,,MUG,20,,,,
D-3,,Di,card,MUG,1,,,,1
D-3,,Di,card,MUG,1,,,,1
D-3,,,,WRAP,1,,,,
D-4,,,,NOPE,1,,,,
D-5,,,,MUG,1,1.00,2.00,,
D-6,suspended,,,HAT,1,,,,1
A-3,suspended,Cy,,HAT,1,,,,
D-1,,Di,cash,HAT,5,,,,
D-2,cancelled,Di,,MUG,20,,,,
"""
"""Orders that are known, changed, in the file twice, short of stock, and wrong in ways that only a command finds."""


@pytest.mark.usefixtures("stocked")
def test_a_dry_run_says_what_the_run_will_and_does_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(OWN)
    (tmp_path / "tried.csv").write_text(TRIED)
    cli("import", "orders", "orders.csv", "--org", "Acme")
    before = _ledger(cli)

    dry = cli("import", "orders", "tried.csv", "--org", "Acme", "--dry-run")
    dry_json = cli("import", "orders", "tried.csv", "--org", "Acme", "--dry-run", "--json")
    after = _ledger(cli)
    ran = cli("import", "orders", "tried.csv", "--org", "Acme")
    again = cli("import", "orders", "tried.csv", "--org", "Acme", "--dry-run")

    assert after == before and _ledger(cli) != before
    assert (dry.code, dry.err) == (ran.code, ran.err)
    assert dry.out == f"Would be: {ran.out}"
    assert len(dry_json.json["lines"]) == dry_json.json["refused"] == 3
    assert "wait for stock" in ran.err
    assert again.out.startswith("Would be: orders: ") and "added" not in again.out
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
def test_a_dry_run_keeps_nobody_waiting(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the file is being tried, the shop goes on."""
    (tmp_path / "orders.csv").write_text(OWN)
    ran: list[int] = []

    def meanwhile(*arguments: Any) -> None:
        copy_organisation(*arguments)
        monkeypatch.setattr(dry_run, "copy_organisation", copy_organisation)
        ran.append(cli("import", "orders", "orders.csv", "--org", "Acme").code)

    monkeypatch.setattr(dry_run, "copy_organisation", meanwhile)
    dry = cli("import", "orders", "orders.csv", "--org", "Acme", "--dry-run")

    assert (dry.code, ran) == (0, [0])


BAD = [
    ("C-2,,,,,,MUG,0.5,,,,", "order C-2 is not taken: quantity 0.5 of MUG has more than 0 decimal places."),
    ("C-3,,,,,,MUG,0,,,,", "order C-3 is not taken: the quantity of MUG is 0."),
    ("C-4,,,,,,MUG,-1,,,,", "order C-4: quantity '-1' is less than 0."),
    ("C-5,,,,,,MUG,many,,,,", "order C-5: quantity 'many' is no number such as 12 or 0.25."),
    ("C-6,,,,,,MUG,1,1.999,,,", "order C-6: unit_price '1.999' is no amount such as 19.99."),
    ("C-7,,,,,,MUG,1,1.00,2.00,,", "order C-7 is not taken: The discount of line 1 is negative, or above its price."),
    (
        "C-8,lost,,,,,MUG,1,,,,",
        "order C-8: status 'lost' is not known: it is completed, suspended, cancelled or refunded.",
    ),
    ("C-10,,,,,,MUG,2,,,1,", "order C-10: fulfilled 1 of 2: a completed order has gone out as a whole, none more."),
    ("C-11,,,,,,MUG,2,,,,3", "order C-11: returned 3: no more than 2 have gone out."),
    ("C-12,,,,,,,2,,,,", "order C-12: The sku is missing, and so is a title."),
    (
        ",,,,,,MUG,1,,,,",
        "order : The order_number must be a text of 1 to 200 characters without control or format characters.",
    ),
    ("A-1,,,,,,HAT,1,,,,", "order A-1 is not taken: Order A-1 of import is there already, with other lines."),
]


@pytest.mark.usefixtures("stocked")
def test_bad_orders_are_named_by_line_and_the_others_taken(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(OWN + "\n".join(line for line, _ in BAD) + "\n")

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert ran.code == 1 and ran.out.startswith(f"orders: 3 added, {len(BAD)} refused.\n")
    assert ran.err.splitlines() == [f"line {number}: {words}" for number, (_, words) in enumerate(BAD, start=7)]
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
def test_an_order_with_one_bad_line_is_not_taken_at_all(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_number,sku,quantity\nD-1,MUG,1\nD-1,MUG,0.5\nD-1,MUG,0\n")

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    words = "quantity 0.5 of MUG has more than 0 decimal places (line 3), the quantity of MUG is 0 (line 4)."
    assert (ran.code, ran.err) == (1, f"line 2: order D-1 is not taken: {words}\n")
    assert _moves(cli) == []


@pytest.mark.usefixtures("stocked")
def test_a_line_without_a_known_product_waits_and_its_order_is_taken(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_number,sku,quantity,unit_price\nD-1,MUG,1,\nD-1,NOPE,2,3.00\n")
    (tmp_path / "names.csv").write_text("file_sku,sku\nNOPE,HAT\n")

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")
    again = cli("import", "orders", "orders.csv", "--org", "Acme")
    mapped = cli("import", "orders", "orders.csv", "--org", "Acme", "--map", "names.csv")
    last = cli("import", "orders", "orders.csv", "--org", "Acme", "--map", "names.csv")

    words = "line 3: note: order D-1: 'NOPE' waits: which product it is has to be said in a --map.\n"
    assert (ran.code, ran.err) == (again.code, again.err) == (0, words)
    assert ran.out == "orders: 1 added, 0 refused.\nunmapped 1, sold 10.00.\n"
    assert again.out == "orders: 1 unchanged, 0 refused.\nunmapped 1.\n"
    assert mapped.out == "orders: 1 changed, 0 refused.\nwaiting 1.\n"
    assert last.out == "orders: 1 unchanged, 0 refused.\nwaiting 1.\n"
    assert [move[:4] for move in _moves(cli)] == [
        ("MUG", "RESERVE", 0, 1),
        ("MUG", "SALE", -1, -1),
        ("HAT", "RESERVE", 0, 1),
        ("HAT", "RESERVE", 0, 0),  # the second one waits
        ("HAT", "SALE", -1, -1),
    ]
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
def test_rows_of_one_order_may_not_contradict_each_other(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_number,customer,sku,quantity\nE-1,Ana,MUG,1\nE-1,Bo,HAT,1\n")

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert ran.err == "line 2: order E-1: Line 3 says customer 'Bo', a line before it 'Ana'.\n"


@pytest.mark.usefixtures("stocked")
def test_the_store_is_the_orders_own_or_the_one_that_was_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_number,store,sku,quantity\nF-1,,MUG,1\nF-2,NOWHERE,MUG,1\n")

    ran = cli("import", "orders", "orders.csv", "--org", "Acme", "--store", "main")
    wrong = cli("import", "orders", "orders.csv", "--org", "Acme", "--store", "ELSEWHERE")

    assert ran.err == "line 3: order F-2 is not taken: store 'NOWHERE' does not exist.\n"
    assert wrong.code == 1 and "There is no store 'ELSEWHERE'" in wrong.err


SHOPIFY_HEADER = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,"
    "Discount Amount,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem fulfillment status,"
    "Lineitem discount,Billing Name,Cancelled at,Payment Method,Refunded Amount\n"
)
SHOPIFY = SHOPIFY_HEADER + (
    "#1001,a@b.example,paid,2027-01-01,fulfilled,USD,17.00,5.00,0.00,22.00,TEN,2.00,"
    "2,Mug,10.00,MUG,fulfilled,1.00,Ana,,Shopify Payments,0.00\n"
    "#1002,b@b.example,pending,,unfulfilled,USD,10.00,0.00,0.00,10.00,,0.00,1,Mug,10.00,'MUG,pending,0.00,Bo,,manual,\n"
    "#1003,c@b.example,paid,,partial,USD,40.00,0.00,0.00,40.00,,0.00,1,Mug,10.00,MUG,fulfilled,0.00,Cy,,cash,0.00\n"
    "#1003,c@b.example,,,,,,,,,,,1,Hat,30.00,HAT,pending,0.00,,,,\n"
    "#1004,d@b.example,voided,,unfulfilled,USD,10.00,0.00,0.00,10.00,,0.00,"
    "1,Mug,10.00,MUG,pending,0.00,Di,2027-01-02,,\n"
    "#1005,e@b.example,refunded,,fulfilled,USD,20.00,3.00,0.00,23.00,,0.00,"
    "2,Mug,10.00,MUG,fulfilled,0.00,Eva,,Shopify Payments,23.00\n"
    "#1006,f@b.example,partially_refunded,,fulfilled,USD,10.00,0.00,1.00,11.00,,0.00,"
    "1,Mug,10.00,MUG,fulfilled,0.00,Fay,,Shopify Payments,4.00\n"
    "#1007,g@b.example,paid,,fulfilled,USD,10.00,0.00,0.00,10.00,,0.00,1,Tip,10.00,,fulfilled,0.00,Guy,,cash,0.00\n"
    "#1008,h@b.example,paid,,fulfilled,EUR,10.00,0.00,0.00,10.00,,0.00,1,Mug,10.00,MUG,fulfilled,0.00,Hal,,cash,0.00\n"
)


@pytest.mark.usefixtures("stocked")
def test_shopifys_order_export(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("\ufeff" + SHOPIFY)

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")
    again = cli("import", "orders", "orders.csv", "--org", "Acme", "--format", "shopify")

    assert ran.code == 1
    assert ran.out == "orders: 7 added, 1 refused.\nreturns 2, unmapped 1, sold 116.00, refunded 27.00.\n"
    assert ran.err.splitlines() == [
        "line 7: note: order #1005: refunded: its goods come back as 'good'; --restock tells otherwise.",
        "line 8: note: order #1006: 4.00 were refunded beside goods: booked as money off.",
        "line 9: note: order #1007: 'Tip' waits: which product it is has to be said in a --map.",
        "line 10: order #1008: it is in EUR, the organisation's money is USD.",
    ]
    assert _moves(cli) == [
        ("MUG", "SALE", -2, 0, "#1001"),
        ("MUG", "RESERVE", 0, 1, "#1002"),
        ("MUG", "RESERVE", 0, 1, "#1003"),
        ("HAT", "RESERVE", 0, 1, "#1003"),
        ("MUG", "SALE", -1, -1, "#1003"),
        ("MUG", "RESERVE", 0, 1, "#1004"),
        ("MUG", "RELEASE", 0, -1, "#1004"),
        ("MUG", "SALE", -2, 0, "#1005"),
        ("MUG", "RETURN", 2, 0, "#1005"),
        ("MUG", "SALE", -1, 0, "#1006"),
    ]
    assert again.out == "orders: 7 unchanged, 1 refused.\nunmapped 1.\n"
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
def test_refunded_goods_may_have_stayed_away(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(SHOPIFY)

    ran = cli("import", "orders", "orders.csv", "--org", "Acme", "--restock", "none")

    assert "refunded 27.00" in ran.out
    assert not any(kind == "RETURN" for _, kind, *_ in _moves(cli)) and _clean(cli)


RETAIL = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,mug,MUG,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,MUG,MUG,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,WRAP,POSTAGE,1,2010-12-01 08:26:00,0.001,17850.0,United Kingdom
536366,HAT,HAT,1,2010-12-01 08:28:00,4.00,,United Kingdom
C536379,MUG,MUG,-3,2010-12-01 09:41:00,2.55,17850.0,United Kingdom
C536380,MUG,MUG,-1,2010-12-01 09:42:00,9.99,17850.0,United Kingdom
C536380,WRAP,Discount,-1,2010-12-01 09:42:00,27.50,17850.0,United Kingdom
536589,MUG,damaged,-2,2010-12-01 16:50:00,0.0,,United Kingdom
536590,HAT,found,5,2010-12-01 16:52:00,0.0,,United Kingdom
A563186,B,Adjust bad debt,-1,2011-08-12 14:51:00,-11062.06,,United Kingdom
536591,NOPE,?,1,2010-12-01 16:53:00,1.00,1.0,United Kingdom
"""


@pytest.mark.usefixtures("stocked")
def test_the_retail_data_set(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "retail.csv").write_text(RETAIL)

    dry = cli("import", "orders", "retail.csv", "--org", "Acme", "--dry-run", "--json")
    ran = cli("import", "orders", "retail.csv", "--org", "Acme", "--json")
    again = cli("import", "orders", "retail.csv", "--org", "Acme", "--json")

    assert ran.code == 1
    told, before = ran.json, dry.json
    assert (told["added"], told["returns"], told["adjustments"], told["refused"]) == (2, 2, 2, 2)
    assert (told["sold"], told["refunded"]) == ("14.20", "45.14")  # 4 x 2.55 + 4; 3 x 2.55 + 9.99 + 27.50
    assert {**before, "dry_run": False} == told
    assert [line["detail"] for line in told["lines"]] == [
        "invoice A563186: it adjusts bad debt, it is no sale.",
        "order 536591 is not taken: product 'NOPE' does not exist.",
    ]
    assert (again.json["added"], again.json["skipped"], again.json["refused"]) == (0, 6, 2)
    assert [(sku, kind, units) for sku, kind, units, _, _ in _moves(cli)] == [
        ("MUG", "SALE", -2),
        ("MUG", "SALE", -2),
        ("HAT", "SALE", -1),
        ("MUG", "RETURN", 2),
        ("MUG", "RETURN", 1),
        ("MUG", "RETURN", 1),
        ("MUG", "ADJUSTMENT", -2),
        ("HAT", "ADJUSTMENT", 5),
    ]
    assert _clean(cli)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("order_number,sku\n1,MUG\n", "missing: 'quantity'"),
        ("order_number,sku,quantity,colour\n1,MUG,1,red\n", "column 'colour' is not known"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    cli: Cli, acme: dict[str, str], tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "orders.csv").write_text(content)

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert ran.code == 1 and words in ran.err and ran.err.count("\n") == 1


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_coins_are_those_of_all_that_came_back_so_far(
    cli: Cli, tmp_path: Path, database_url: str, dry: tuple[str, ...]
) -> None:
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE organisation SET cash_rounding = '0.05'")
    database.dispose()
    order = "order_number,status,payment_method,sku,quantity,unit_price,returned\nR-1,completed,cash,MUG,4,3.34,{}\n"
    for returned in (0, 1, 2):
        (tmp_path / "orders.csv").write_text(order.format(returned))
        ran = cli("import", "orders", "orders.csv", "--org", "Acme")
    assert ran.out.endswith("refunded 3.35.\n")
    (tmp_path / "orders.csv").write_text(order.format(3))

    ran = cli("import", "orders", "orders.csv", "--org", "Acme", *dry)

    assert ran.out.endswith("refunded 3.30.\n"), "10.02 for three are 10.00 in coins, and 6.70 went out before"


@pytest.mark.usefixtures("stocked")
def test_what_came_back_is_known_wherever_it_stands_in_the_file(cli: Cli, tmp_path: Path) -> None:
    header, *rows = RETAIL.splitlines(keepends=True)
    returned = [row for row in rows if row.startswith(("C", "536589", "536590"))]
    other = "\n" + header + "".join(reversed(returned)).replace("17850.0", "17850").replace("\n", "\r\n")
    (tmp_path / "retail.csv").write_text(header + "".join(rows[:4] + returned))
    cli("import", "orders", "retail.csv", "--org", "Acme")
    before = _ledger(cli)
    (tmp_path / "retail.csv").write_text(other)

    again = cli("import", "orders", "retail.csv", "--org", "Acme", "--json").json
    (tmp_path / "retail.csv").write_text(other.replace("HAT,found,5", "HAT,found,6"))
    changed = cli("import", "orders", "retail.csv", "--org", "Acme", "--json").json

    assert (again["returns"], again["adjustments"], again["skipped"], again["refused"]) == (0, 0, 4, 0)
    assert [line["detail"] for line in changed["lines"]] == [
        "adjustment 536590 is not taken: it was taken before, with other rows."
    ]
    assert _ledger(cli) == before


@pytest.mark.usefixtures("stocked")
def test_orders_of_a_spreadsheet(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        "sep=;\norder_number;sku;quantity;unit_price;shipping\nS-1;TEA;0,25;1.020,50;4,5\n1.00002E+11;MUG;1;1;\n"
        "S-3;MUG;1e1;1;\n"
    )

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert ran.out == "orders: 1 added, 2 refused.\nsold 259.63.\n"
    assert "order_number '1.00002E+11': a spreadsheet has rounded it" in ran.err
    assert "quantity '1e1' is short for a number" in ran.err


def test_a_file_of_orders_that_nobody_knows_hears_what_is_read(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("Sale Date,Item Name,Buyer,Quantity,Price,Coupon Code\n")

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert ran.code == 1 and "nearest is Etsy's sold order items" in ran.err
    assert "Recognised: 'sale date', 'item name', 'buyer', 'quantity', 'price'; missing: 'order id'" in ran.err


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("number", ["#1001", "820982911946154508"])
def test_a_hold_that_shopify_made_and_its_export_are_one_order(
    cli: Cli, acme: dict[str, str], database_url: str, tmp_path: Path, number: str
) -> None:
    """By the order's name as well as by its numeric id, which is how webhooks and apps call it."""
    owner = Actor(acme["org_id"], "user:owner", Role.OWNER)
    reserve = OrderReserve(number, "shopify", (OrderLine("MUG", 2),))
    header = SHOPIFY_HEADER.replace("\n", ",Id\n")
    row = (
        "#1001,a@b.example,paid,2027-01-01,{shipped},USD,20.00,0.00,0.00,20.00,,0.00,2,Mug,10.00,MUG,{shipped},0.00,"
        "Ana,,Shopify Payments,0.00,'820982911946154508\n"
    )

    def take(shipped: str) -> str:
        (tmp_path / "orders.csv").write_text(header + row.format(shipped=shipped))
        ran = cli("import", "orders", "orders.csv", "--org", "Acme", "--format", "shopify")
        assert ran.code == 0, ran.err
        return ran.out

    with Holdfast.open(database_url) as shop:
        [held] = shop.do(owner, reserve).answer
    take("unfulfilled")
    with Holdfast.open(database_url) as shop:
        assert [hold.id for hold in shop.do(owner, reserve).answer] == [held.id]
    assert "1 changed" in take("fulfilled")
    assert _moves(cli) == [("MUG", "RESERVE", 0, 2, number), ("MUG", "SALE", -2, -2, "#1001")]
    assert _clean(cli)


SHOPIFY_ROW = (
    "#1004,a@b.example,paid,2027-01-01,unfulfilled,USD,20.00,0.00,0.00,20.00,,0.00,2,Mug,10.00,MUG,,0.00,"
    "Ana,,Shopify Payments,0.00,{id}\n"
)


def _held_by_its_id_then_imported(cli: Cli, acme: dict[str, str], database_url: str, tmp_path: Path, said: str) -> Ran:
    """2 mugs are held for Shopify's order 4503163994321, then its export comes, which calls the id as `said`."""
    owner = Actor(acme["org_id"], "user:owner", Role.OWNER)
    with Holdfast.open(database_url) as shop:
        shop.do(owner, OrderReserve("4503163994321", "shopify", (OrderLine("MUG", 2),)))
    (tmp_path / "orders.csv").write_text(SHOPIFY_HEADER.replace("\n", ",Id\n") + SHOPIFY_ROW.format(id=said))
    return cli("import", "orders", "orders.csv", "--org", "Acme")


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    "said", ["4.50316E+12", "4,50E+12", "4.50E+12", "4503163994321.5", "gid://shopify/Order/1", "#N/A", "9" * 31]
)
def test_an_order_whose_shopify_id_cannot_be_read_is_refused(
    cli: Cli, acme: dict[str, str], database_url: str, tmp_path: Path, said: str
) -> None:
    """Units may be held by that id: taken without it, the order would hold them a second time."""
    cell = f'"{said}"' if "," in said else said
    ran = _held_by_its_id_then_imported(cli, acme, database_url, tmp_path, cell)

    assert ran.code == 1 and f"order #1004: Id '{said}'"[:60] in ran.err, ran.err
    assert _moves(cli) == [("MUG", "RESERVE", 0, 2, "4503163994321")]


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("said", ["4503163994321", "'4503163994321", "4503163994321.0", "4503163994321.00"])
def test_a_shopify_id_that_is_whole_is_known(
    cli: Cli, acme: dict[str, str], database_url: str, tmp_path: Path, said: str
) -> None:
    ran = _held_by_its_id_then_imported(cli, acme, database_url, tmp_path, said)

    assert ran.code == 0, ran.err
    assert _moves(cli) == [("MUG", "RESERVE", 0, 2, "4503163994321")], "held once"
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("order_number,sku,quantity\n1004.0,MUG,1\n", "order_number '1004.0': a program has made a decimal number of"),
        (f"{RETAIL.splitlines()[0]}\n5.36E+05,MUG,,1,2010,1,1.0,UK\n", "InvoiceNo '5.36E+05': a spreadsheet has"),
        (f"{RETAIL.splitlines()[0]}\n536365.0,MUG,,1,2010,1,1.0,UK\n", "InvoiceNo '536365.0': a program has made"),
        (f"{RETAIL.splitlines()[0]}\n536365,MUG,,1,2010,1,1.79E+04,UK\n", "CustomerID '1.79E+04': a spreadsheet has"),
    ],
)
def test_numbers_by_which_an_order_is_known_are_taken_in_full_only(
    cli: Cli, tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "orders.csv").write_text(content)

    ran = cli("import", "orders", "orders.csv", "--org", "Acme")

    assert ran.code == 1 and words in ran.err, ran.err
    assert _moves(cli) == []


def _both(cli: Cli) -> Ran:
    """What the import says, which the dry run has said before it."""
    dry = cli("import", "orders", "orders.csv", "--org", "Acme", "--dry-run", "--json")
    ran = cli("import", "orders", "orders.csv", "--org", "Acme", "--json")
    assert {**dry.json, "dry_run": False} == ran.json
    return ran


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("by", ["here", "file"])
def test_an_order_that_was_cancelled_and_has_gone_out_is_sold_and_says_so(
    cli: Cli, acme: dict[str, str], database_url: str, tmp_path: Path, by: str
) -> None:
    orders = tmp_path / "orders.csv"
    row = "order_number,status,sku,quantity\n1010,{},MUG,2\n"
    if by == "here":
        orders.write_text(row.format("suspended"))
        cli("import", "orders", "orders.csv", "--org", "Acme")
        with Holdfast.open(database_url) as shop:
            owner = Actor(acme["org_id"], "user:owner", Role.OWNER)
            assert not isinstance(shop.do(owner, OrderClose("1010", "import", False)).answer, Rejected)
    else:
        orders.write_text(row.format("cancelled"))
        cli("import", "orders", "orders.csv", "--org", "Acme")

    orders.write_text(row.format("suspended"))
    still = _both(cli)
    orders.write_text(row.format("completed"))
    ran = _both(cli)
    orders.write_text(row.format("cancelled"))
    late = _both(cli)

    assert [note["detail"] for note in still.json["notes"]] == [
        "order 1010: it is cancelled here and stays so: nothing is held for it."
    ]
    assert (ran.code, ran.json["changed"]) == (0, 1)
    assert [note["detail"] for note in ran.json["notes"]] == [
        "order 1010: it was cancelled here, but the file says that it has gone out: it is taken up again and sold."
    ]
    assert (late.json["skipped"], "it is sold here and stays so" in late.json["notes"][0]["detail"]) == (1, True)
    assert [move[:4] for move in _moves(cli)][-1] == ("MUG", "SALE", -2, -2)
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
def test_a_shopify_order_that_was_cancelled_and_fulfilled_is_sold(
    cli: Cli, acme: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    orders = tmp_path / "orders.csv"
    content = SHOPIFY_HEADER.replace("\n", ",Id\n") + SHOPIFY_ROW.format(id="4503163994321")
    orders.write_text(content)
    cli("import", "orders", "orders.csv", "--org", "Acme")
    with Holdfast.open(database_url) as shop:
        owner = Actor(acme["org_id"], "user:owner", Role.OWNER)
        assert not isinstance(shop.do(owner, OrderClose("4503163994321", "shopify", False)).answer, Rejected)
    orders.write_text(content.replace("unfulfilled", "fulfilled"))

    ran = _both(cli)

    assert ran.json["changed"] == 1 and "has gone out" in ran.json["notes"][0]["detail"]
    assert [move[1:4] for move in _moves(cli)][-1] == ("SALE", -2, -2)
    assert _clean(cli)


@pytest.mark.usefixtures("stocked")
def test_what_has_gone_out_or_come_back_and_is_not_taken_is_told_each_time(cli: Cli, tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    row = "order_number,status,sku,quantity,returned\n1003,{},HAT,2,{}\n"
    orders.write_text("order_number,status,sku,quantity\n1002,suspended,HAT,1\n")
    cli("import", "orders", "orders.csv", "--org", "Acme")
    orders.write_text(row.format("suspended", ""))
    cli("import", "orders", "orders.csv", "--org", "Acme")
    quiet = _both(cli)
    orders.write_text(row.format("completed", "1"))

    told = _both(cli)

    assert (quiet.json["skipped"], quiet.json["notes"]) == (1, []), "it waits, as was said: the file knows no better"
    assert [note["detail"] for note in told.json["notes"]] == [
        "order 1003: 2 of HAT wait for stock.",
        "order 1003: what came back is taken back when the rest of the order has gone out.",
    ]
    assert (told.json["skipped"], told.json["waiting"]) == (1, 1)
