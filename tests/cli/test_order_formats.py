"""import orders: files as other systems write them; totals and tax are theirs, lines without a product wait.

The rows are invented; headers are those of real exports. Where the files beside the repository are there, they are read
as well.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Ran

SHARED = Path(__file__).parents[3] / "shared" / "data" / "orders"

PRODUCTS = """\
sku,title,kind,price
MUG-1,Handmade Mug,physical,20.00
DISH-1,Ring Dish,physical,10.00
"""
STOCK = "sku,location,quantity,unit_cost\nMUG-1,MAIN,100,3.00\nDISH-1,MAIN,100,1.00\n"

SHOPIFY = """\
Name,Financial Status,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,\
Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem fulfillment status,Cancelled at,\
Refunded Amount,Lineitem discount,Tax 1 Name,Tax 1 Value,Outstanding Balance,Payment Method
#1,paid,fulfilled,USD,20.00,5.00,2.00,27.00,,,2025-03-01 10:00:00 -0500,1,Mug,20.00,MUG-1,fulfilled,,0,0,NY 8%,2,0,S
#2,paid,fulfilled,USD,20.00,0,3.33,20.00,,,2025-03-01 10:00:00 -0500,1,Mug,20,MUG-1,fulfilled,,0,0,VAT 20%,3.33,0,S
#3,paid,fulfilled,USD,25.00,0.00,0.00,25.00,,,2025-03-01 10:00:00 -0500,1,Mug,20.00,MUG-1,fulfilled,,0,0,,,0,S
#3,,,,,,,,,,,1,Tip,5.00,,,,,,,,,
#4,partially_refunded,fulfilled,USD,40.00,0,0,40.00,,,2025-03-01 10:00:00 -0500,2,Mug,20,MUG-1,fulfilled,,10.00,0,,,0,S
#5,partially_paid,fulfilled,USD,20.00,0,0,20.00,,,2025-03-01 10:00:00 -0500,1,Mug,20.00,MUG-1,fulfilled,,0,0,,,15.00,S
#6,paid,fulfilled,USD,0.00,0.00,0.00,0.00,FREE,20.00,2025-03-01 10:00:00 -0500,1,Mug,20.00,MUG-1,fulfilled,,0,0,,,0,S
#7,paid,fulfilled,USD,20.00,5.00,0.00,20.00,SHIP,5.00,2025-03-01 10:00:00 -0500,1,Mug,20.00,MUG-1,fulfilled,,0,0,,,0,S
#12,paid,fulfilled,USD,20.00,0.00,0.00,20.00,,,2025-03-01 10:00:00 -0500,1,Mug,20.00,MUG-1,fulfilled,,0,0,,,0,cash
"""
ETSY = """\
Sale Date,Item Name,Buyer,Quantity,Price,Discount Amount,Shipping Discount,Order Shipping,Order Sales Tax,Currency,\
Transaction ID,Date Paid,Date Shipped,Order ID,Variations,Payment Type,SKU
09/22/26,Handmade Mug,Sam,1,20.00,8.00,1.00,5.00,2.88,USD,1,09/22/26,09/23/26,3812,Blue,online_cc,MUG-1
09/22/26,Ring Dish,Sam,2,10.00,0.00,1.00,5.00,2.88,USD,2,09/22/26,09/23/26,3812,,online_cc,
09/23/26,Gift wrap,Kim,1,3.00,0.00,0.00,0.00,0.00,USD,3,09/23/26,,3813,,online_cc,
"""
AMAZON = """\
amazon-order-id\tpurchase-date\torder-status\tfulfillment-channel\tsales-channel\tproduct-name\tsku\titem-status\
\tquantity\tcurrency\titem-price\titem-tax\tshipping-price\tshipping-tax\titem-promotion-discount\
\tship-promotion-discount
112-1\t2026-04-10T09:15:00+00:00\tShipped\tMerchant\tAmazon.com\tMug\tMUG-1\tShipped\t2\tUSD\t42.01\t3.36\t5.99\t0.48\
\t2.00\t1.00
112-2\t2026-04-10T09:15:00+00:00\tCancelled\tMerchant\tAmazon.com\tMug\tMUG-1\tCancelled\t0\tUSD\t\t\t\t\t\t
302-3\t2026-04-11T09:15:00+00:00\tShipped\tAmazon\tAmazon.de\tMug\tMUG-1\tShipped\t1\tUSD\t23.80\t3.80\t\t\t\t
"""
WOO = """\
order_id,order_number,order_date,status,shipping_total,tax_total,discount_total,order_total,payment_method,\
billing_first_name,Product SKU,Product Qty,Product Unit Price
55,1001,2026-01-02,completed,4.50,3.00,1.00,46.50,stripe,Ana,MUG-1,2,20.00
56,1002,2026-01-03,processing,0.00,0.80,0.00,30.80,cod,Bo,MUG-1,1,20.00
56,1002,2026-01-03,processing,0.00,0.80,0.00,30.80,cod,Bo,DISH-1,1,10.00
57,1003,2026-01-04,refunded,0.00,0.00,0.00,20.00,stripe,Cy,MUG-1,1,20.00
"""
ANALYTICS = """\
Date,Order #,Status,Customer,Customer type,Product(s),Items sold,Coupon(s),Net Sales,Attribution
2026-01-02 10:00:00,1001,completed,Ana,new,"2\u00d7 Handmade Mug, 1\u00d7 Ring Dish, small",3,,50.00,Direct
"""
SQUARE = """\
Date,Time,Time Zone,Category,Item,Qty,Price Point Name,SKU,Gross Sales,Discounts,Net Sales,Tax,Transaction ID,\
Event Type,Customer Name
2026-09-13,10:02:11,Eastern Time (US & Canada),C,Mug,2,Regular,MUG-1,$40.01,-$3.00,$37.01,$2.40,SQA,Payment,Dee
2026-09-14,11:00:00,Eastern Time (US & Canada),C,Dish,1,Small,DISH-1,"$1,010.00",$0.00,"$1,010.00",$0.00,SQB,Payment,
2026-09-20,09:00:00,Eastern Time (US & Canada),C,Mug,-1,Regular,MUG-1,-$20.00,$1.50,-$18.50,-$1.20,SQA,Refund,Dee
2026-09-21,09:00:00,Eastern Time (US & Canada),C,Mug,-1,Regular,MUG-1,-$20.00,$0.00,-$20.00,$0.00,SQZ,Refund,
"""
FILES = {
    "shopify": SHOPIFY,
    "etsy": ETSY,
    "amazon": AMAZON,
    "woocommerce": WOO,
    "analytics": ANALYTICS,
    "square": SQUARE,
}


@pytest.fixture
def stocked(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / "stock.csv").write_text(STOCK)
    assert cli("import", "products", "products.csv", "--org", "Acme").code == 0
    assert cli("import", "stock", "stock.csv", "--org", "Acme").code == 0


def _import(cli: Cli, tmp_path: Path, content: str, *options: str) -> Ran:
    (tmp_path / "orders.csv").write_text(content)
    return cli("import", "orders", "orders.csv", "--org", "Acme", *options)


def _balances(cli: Cli) -> dict[str, float]:
    """What each account has come to, of the journal as it is exported."""
    found: dict[str, float] = {}
    for row in csv.DictReader(cli("export", "journal", "--org", "Acme").out.splitlines()):
        change = float(row["debit"] or 0) - float(row["credit"] or 0)
        found[row["account"]] = round(found.get(row["account"], 0) + change, 2)
    return found


def _ledger(cli: Cli) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(cli("export", "ledger", "--org", "Acme", "--format", "json").out)
    return [entry for entry in entries if entry["ref_type"] != "RECEIPT"]


def _words(told: str) -> list[str]:
    """What was told, without lines of a log that an earlier test may have switched on."""
    return [line for line in told.splitlines() if "[alembic." not in line]


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("name", FILES)
def test_a_dry_run_is_the_run_and_the_run_happens_once(cli: Cli, tmp_path: Path, name: str) -> None:
    dry = _import(cli, tmp_path, FILES[name], "--dry-run")
    nothing = _ledger(cli)
    ran = _import(cli, tmp_path, FILES[name])
    after = _ledger(cli), _balances(cli)
    again = _import(cli, tmp_path, FILES[name])

    assert nothing == []
    assert (dry.out, _words(dry.err)) == (f"Would be: {ran.out}", _words(ran.err))
    assert " added" not in again.out and " changed" not in again.out
    assert (_ledger(cli), _balances(cli)) == after
    assert cli("check", "--org", "Acme").code == 0


@pytest.mark.usefixtures("stocked")
def test_shopify_states_its_money(cli: Cli, tmp_path: Path) -> None:
    ran = _import(cli, tmp_path, SHOPIFY)

    assert ran.out == "orders: 8 added, 0 refused.\nreturns 1, sold 172.00, refunded 10.00.\n"
    assert ran.err.splitlines() == [
        "line 6: note: order #4: 10.00 were refunded beside goods: booked as money off.",
        "line 9: note: order #7: 5.00 were taken off the shipping.",
    ]
    books = _balances(cli)
    assert (books["1000"], books["2100"], books["2300"]) == (20.0, -5.33, -5.0)
    assert (books["1100"], books["4000"], books["4100"]) == (142.0, -161.67, 10.0)


@pytest.mark.usefixtures("stocked")
def test_etsy_by_title_and_option(cli: Cli, tmp_path: Path) -> None:
    """20 + 20 - 8 + 5 - 1 + 2.88 is 38.88; what has no SKU is found by a map, or needs no stock."""
    dry = _import(cli, tmp_path, ETSY, "--dry-run", "--map", "names.csv")
    assert dry.err.endswith("names.csv has 2 new names: write into its column sku which product each of them is.\n")
    rows = list(csv.DictReader((tmp_path / "names.csv").read_text().splitlines()))
    assert [(row["title"], row["sku"], row["suggestion"]) for row in rows] == [
        ("Gift wrap", "", ""),
        ("Ring Dish", "DISH-1", "DISH-1"),
    ]
    ran = _import(cli, tmp_path, ETSY, "--map", "names.csv", "--custom-lines")

    assert ran.out == "orders: 2 added, 0 refused.\nsold 41.88.\n"
    assert [(entry["sku"], entry["qty_delta"]) for entry in _ledger(cli)] == [("MUG-1", -1), ("DISH-1", -2)]
    books = _balances(cli)
    assert (books["2100"], books["4000"]) == (-2.88, -36.0)
    assert cli("check", "--org", "Acme").code == 0


@pytest.mark.usefixtures("stocked")
def test_amazon_in_and_outside_of_prices(cli: Cli, tmp_path: Path) -> None:
    """42.01 - 2.00 + 3.36 + 5.99 - 1.00 + 0.48 is 48.84, tax on top; in Germany 3.80 are in 23.80."""
    ran = _import(cli, tmp_path, AMAZON)

    assert ran.out == "orders: 2 added, 1 unchanged, 0 refused.\nsold 72.64.\n"
    assert "order 112-2: it has no units, so there is nothing to take." in ran.err
    assert "order 302-3: Amazon sends it from its own warehouse" in ran.err
    assert _balances(cli)["2100"] == -7.64


@pytest.mark.usefixtures("stocked")
def test_woocommerce_by_item(cli: Cli, tmp_path: Path) -> None:
    ran = _import(cli, tmp_path, WOO)

    assert ran.out == "orders: 3 added, 0 refused.\nreturns 1, sold 97.30, refunded 20.00.\n"
    books = _balances(cli)
    assert (books["2100"], books["4000"]) == (-3.0, -63.5), "1002 still has to go out"


@pytest.mark.usefixtures("stocked")
def test_woocommerce_analytics_by_titles(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text('title,sku\nHandmade mug,MUG-1\n"Ring Dish, small",DISH-1\n')

    ran = _import(cli, tmp_path, ANALYTICS, "--map", "names.csv")

    assert ran.out == "orders: 1 added, 0 refused.\nsold 50.00.\n"
    assert [(entry["sku"], entry["qty_delta"]) for entry in _ledger(cli)] == [("MUG-1", -2), ("DISH-1", -1)]


@pytest.mark.usefixtures("stocked")
def test_square_with_refunds(cli: Cli, tmp_path: Path) -> None:
    ran = _import(cli, tmp_path, SQUARE)

    assert ran.code == 1
    assert ran.out == "orders: 2 added, 1 refused.\nreturns 1, sold 1049.41, refunded 19.71.\n"
    assert "refund of SQZ: its sale is not in this file" in ran.err


@pytest.mark.usefixtures("stocked")
def test_any_file_by_the_names_of_its_columns(cli: Cli, tmp_path: Path) -> None:
    content = (
        "Bestellnr;Datum;Artikel;Menge;Preis;Steuer;Summe;Farbe\n"
        "7;2026-02-01;MUG-1;2;1.012,50 \u20ac;190,00;2.215,00;rot\n8;2026-02-02;MUG-1;1;12,50;;12,50;blau\n"
    )
    columns = (
        "order_number=Bestellnr,ordered_at=Datum,sku=Artikel,quantity=Menge,unit_price=Preis,tax=Steuer,total=Summe"
    )

    ran = _import(cli, tmp_path, content.replace("\u20ac", "$"), "--columns", columns)
    wrong = _import(cli, tmp_path, content, "--columns", columns)
    unknown = _import(cli, tmp_path, content, "--columns", "order_number=Nummer")
    odd = _import(cli, tmp_path, content, "--columns", "nummer=Bestellnr")

    assert ran.out == "orders: 2 added, 0 refused.\nsold 2227.50.\n"
    assert "is in \u20ac, the organisation's money is USD" in wrong.err
    assert "has no column 'nummer'; it has 'bestellnr', 'datum'" in unknown.err
    assert "'nummer=Bestellnr' is not one of our columns and a header" in odd.err


@pytest.mark.usefixtures("stocked")
def test_books_on_the_day_of_the_order(cli: Cli, tmp_path: Path) -> None:
    content = "order_number,ordered_at,sku,quantity,unit_price,tax,total\n2501,2026-01-02,MUG-1,1,20.00,1.60,21.60\n"
    ran = _import(cli, tmp_path, content, "--post-on-order-date")

    assert ran.out == "orders: 1 added, 0 refused.\nsold 21.60.\n"
    rows = list(csv.DictReader(cli("export", "journal", "--org", "Acme").out.splitlines()))
    assert {row["account"] for row in rows if row["day"] == "2026-01-02"} == {"1100", "2100", "4000"}
    assert cli("check", "--org", "Acme").code == 0


@pytest.mark.usefixtures("stocked")
def test_the_map_says_one_thing_of_a_name(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("title,sku\nRing Dish,DISH-1\nring  dish,MUG-1\n")

    ran = _import(cli, tmp_path, ETSY, "--map", "names.csv")

    assert "Line 3 of the map says 'MUG-1' of 'ring dish', a line before it 'DISH-1'." in ran.err


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    ("begin", "words"),
    [(b"PK\x03\x04rest", "This is a workbook, not CSV"), ("order_number".encode("utf-16"), "missing")],
)
def test_how_a_file_begins(cli: Cli, tmp_path: Path, begin: bytes, words: str) -> None:
    (tmp_path / "orders.csv").write_bytes(begin)

    assert words in cli("import", "orders", "orders.csv", "--org", "Acme").err


REFUNDED = {
    "shopify": (
        """\
Name,Financial Status,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Refunded Amount,Tax 1 Name,Tax 1 Value,Payment Method
#1,partially_refunded,fulfilled,USD,40.00,5.00,3.20,48.20,2,Mug,20.00,MUG-1,12.05,NY 8%,3.20,card
#2,partially_refunded,unfulfilled,USD,20.00,0,0,20.00,1,Mug,20.00,MUG-1,4.00,,,card
#3,partially_refunded,fulfilled,USD,10.00,0,0,10.00,1,Dish,10.00,DISH-1,,,,card
""",
        "3 added, 0 refused.\nreturns 1, sold 78.20, refunded 12.05.",
        [
            "order #1: 12.05 were refunded beside goods: booked as money off.",
            "order #2: 4.00 were refunded; not booked: it is booked when the rest of the order has gone out.",
            "order #3: a part of it was refunded; not booked: the export does not say how much.",
        ],
        (11.25, -2.4),
    ),
    "woocommerce": (
        """\
order_number,order_date,status,shipping_total,tax_total,discount_total,order_total,refund_total,payment_method,\
Product SKU,Product Qty,Product Unit Price
1,2026-01-02,completed,5.00,3.20,0.00,48.20,12.05,card,MUG-1,2,20.00
2,2026-01-02,refunded,5.00,0.00,0.00,25.00,20.00,card,MUG-1,1,20.00
""",
        "2 added, 0 refused.\nreturns 2, sold 73.20, refunded 32.05.",
        [
            "order 1: 12.05 were refunded beside goods: booked as money off.",
            "order 2: refunded: its goods come back as 'good'; --restock tells otherwise.",
        ],
        (31.25, -2.4),
    ),
    "own": (
        """\
order_number,payment_method,shipping,tax,total,refunded,sku,quantity,unit_price,returned
1,card,5.00,3.20,48.20,12.05,MUG-1,2,20.00,
2,card,,,,3.00,MUG-1,2,20.00,1
3,card,,,,30.00,MUG-1,1,20.00,
""",
        "3 added, 0 refused.\nreturns 3, sold 108.20, refunded 55.05.",
        [
            "order 1: 12.05 were refunded beside goods: booked as money off.",
            "order 2: 3.00 were refunded beside goods: booked as money off.",
            "order 3: 20.00 were refunded beside goods: booked as money off.",
            "order 3: 10.00 were refunded; not booked: no more is left of the order here.",
        ],
        (54.25, -2.4),
    ),
}
"""Files with partial refunds: what is said of them, and what 4100 and 2100 come to. 12.05 is a quarter of 48.20."""


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("name", REFUNDED)
def test_partial_refunds_are_booked_to_the_cent_and_once(cli: Cli, tmp_path: Path, name: str) -> None:
    content, said, notes, (refunds, tax) = REFUNDED[name]

    dry = _import(cli, tmp_path, content, "--dry-run")
    ran = _import(cli, tmp_path, content)
    books = _balances(cli)
    again = _import(cli, tmp_path, content)

    assert ran.out == f"orders: {said}\n"
    assert [line.partition(": note: ")[2] for line in _words(ran.err)] == notes
    assert (dry.out, _words(dry.err)) == (f"Would be: {ran.out}", _words(ran.err))
    assert (books["4100"], books["2100"]) == (refunds, tax)
    assert " added" not in again.out and " changed" not in again.out and "refunded" not in again.out
    assert _balances(cli) == books
    assert cli("check", "--org", "Acme").code == 0


# The files beside the repository -------------------------------------------------------------------------------------

STATED = {
    "shopify_cases.csv": ("11 added, 1 refused", "unmapped 1, sold 262.00"),
    "etsy.csv": ("1 added, 0 refused", "sold 32.00"),
    "amazon.txt": ("1 added, 0 refused", "sold 49.35"),
    "woo_items.csv": ("1 added, 0 refused", "sold 46.50"),
    "woo_analytics.csv": ("1 added, 0 refused", "sold 50.00"),
    "square_items.csv": ("1 added, 0 refused", "sold 18.20, refunded 18.20"),
    "own_bom.csv": ("1 added, 0 refused", "sold 20.00"),
    "own_utf16.csv": ("1 added, 0 refused", "sold 20.00"),
    "own_tax.csv": ("1 added, 0 refused", "sold 21.60"),
    "own_status.csv": ("3 added, 0 refused", "sold 60.00"),
    "own_symbol.csv": ("3 added, 4 refused", "sold 1267.00"),
}
"""What becomes of the files: counts of orders, and a figure."""


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("name", STATED)
def test_files_beside_the_repository(cli: Cli, name: str) -> None:
    file = SHARED / name
    if not file.exists():
        pytest.skip(f"{file} is not there: the headers of real exports lie beside the repository, not in it")
    orders, figure = STATED[name]

    dry = cli("import", "orders", file, "--org", "Acme", "--dry-run")
    ran = cli("import", "orders", file, "--org", "Acme")
    again = cli("import", "orders", file, "--org", "Acme")

    assert (dry.out, _words(dry.err)) == (f"Would be: {ran.out}", _words(ran.err))
    assert orders in ran.out and figure in ran.out, ran
    assert " added" not in again.out and " changed" not in again.out
    assert cli("check", "--org", "Acme").code == 0
