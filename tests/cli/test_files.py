"""import and export: good lines are taken, bad ones named, and nothing is taken twice."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

PRODUCTS = """\
sku,title,kind,price,gtin,precision,reorder_point,oversell,track_expiry,supplier
MUG-1,Blue mug,physical,12.50,4006381333931,0,5,deny,false,"Clay, Sons & Co"
COFFEE,Coffee by weight,,30,,3,2.5,backorder,yes,
GIFT,Gift card,digital,25,,,,,,
"""
STOCK = """\
sku,location,quantity,unit_cost,lot_code,expires_at
MUG-1,main,10,3.50,,
MUG-1,MAIN,10,3.50,,
COFFEE,MAIN,2.250,11.123456,L1,2099-03-01
"""


@pytest.fixture
def stocked(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / "stock.csv").write_text(STOCK)
    assert cli("import", "products", "products.csv", "--org", "Acme").code == 0
    assert cli("import", "stock", "stock.csv", "--org", "Acme").code == 0


def _stock(cli: Cli) -> dict[str, str]:
    return {row["sku"]: row["quantity"] for row in csv.DictReader(io.StringIO(_export(cli, "stock")))}


def _export(cli: Cli, what: str, *options: str) -> str:
    ran = cli("export", what, "--org", "Acme", *options)
    assert ran.code == 0, ran.err
    return ran.out


@pytest.mark.usefixtures("stocked")
def test_what_was_imported_is_exported(cli: Cli) -> None:
    rows = list(csv.DictReader(io.StringIO(_export(cli, "stock"))))

    assert [
        (row["sku"], row["location"], row["quantity"], row["available_quantity"], row["value"]) for row in rows
    ] == [
        ("COFFEE", "MAIN", "2.25", "2.25", "25.03"),
        ("MUG-1", "MAIN", "20", "20", "70.00"),
    ]


@pytest.mark.usefixtures("stocked")
def test_the_ledger_as_json_and_as_csv(cli: Cli) -> None:
    entries = json.loads(_export(cli, "ledger", "--format", "json"))
    lines = list(csv.DictReader(io.StringIO(_export(cli, "ledger"))))

    assert [(one["sku"], one["seq"], one["qty_delta"], one["value_delta"]) for one in entries] == [
        ("MUG-1", 1, 10, "35.00"),
        ("MUG-1", 2, 10, "35.00"),
        ("COFFEE", 1, 2.25, "25.03"),
    ]
    assert [line["id"] for line in lines] == [one["id"] for one in entries]
    assert entries[2]["lot_code"] == "L1" and entries[0]["ref_type"] == "RECEIPT" and entries[0]["actor"] == "cli"


def test_an_empty_export_is_still_a_file(cli: Cli, acme: dict[str, str]) -> None:
    assert _export(cli, "ledger", "--format", "json") == "[]\n"
    assert _export(cli, "stock").startswith("sku,title,")


@pytest.mark.usefixtures("stocked")
def test_importing_again_changes_nothing(cli: Cli) -> None:
    products = cli("import", "products", "products.csv", "--org", "Acme")
    stock = cli("import", "stock", "stock.csv", "--org", "Acme", "--json")

    assert products.out == "products: 3 unchanged, 0 refused.\n"
    assert (stock.json["added"], stock.json["skipped"]) == (0, 3)
    assert _stock(cli)["MUG-1"] == "20"


@pytest.mark.usefixtures("stocked")
def test_lines_can_be_taken_once_more_when_that_is_said(cli: Cli) -> None:
    assert cli("import", "stock", "stock.csv", "--org", "Acme", "--again").code == 0

    assert _stock(cli)["MUG-1"] == "40"


@pytest.mark.usefixtures("stocked")
def test_a_product_that_exists_is_changed_where_the_file_says_something(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("sku;price;title\nMUG-1;13.00;\nGIFT;25;Gift card\n")

    ran = cli("import", "products", "prices.csv", "--org", "Acme", "--json")

    assert (ran.json["added"], ran.json["changed"], ran.json["skipped"]) == (0, 1, 1)


@pytest.mark.usefixtures("stocked")
def test_what_is_fixed_by_the_ledger_is_refused_by_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "change.csv").write_text("sku,precision\nMUG-1,2\n")

    ran = cli("import", "products", "change.csv", "--org", "Acme")

    assert ran.code == 1 and ran.err.startswith("line 2: The precision of MUG-1 is fixed")


BAD_PRODUCTS = [
    ("BAD-1,,physical,1,,,,,,", "title"),
    ("BAD-2,x,toy,1,,,,,,", "kind 'toy' must be one of"),
    ("BAD-3,x,,19.999,,,,,,", "no amount such as 19.99"),
    ("BAD-4,x,,-1,,,,,,", "no amount"),
    ("BAD-5,x,,1,4006381333932,,,,,", "no GTIN"),
    ("BAD-6,x,,1,4.00638E+12,,,,,", "spreadsheet has rounded it"),
    ("BAD-7,x,,1,,0,0.5,,,", "no quantity with 0 decimal places"),
    ("BAD-8,x,,1,,7,,,,", "0 to 4"),
    ("BAD-9,x,,1,,,,,perhaps,", "true or false"),
    (",x,,1,,,,,,", "sku is missing"),
    ("0191a6f3-7f4e-7cc2-9d8e-0123456789ab,x,,1,,,,,,", "look like an id"),
    ("MUG-1,again,,1,,,,,,", "stands in line 2 already"),
    (".,x,,1,,,,,,", "one or two dots"),
    ("BAD-11,x,,1,04006381333931,,,,,", "04006381333931 stands in line 2 already"),
    ("BAD-10,x,,1,,,,,,,,more", "more cells"),
]


def test_bad_products_are_named_by_line_and_the_others_taken(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS + "\n".join(line for line, _ in BAD_PRODUCTS) + "\n")

    dry = cli("import", "products", "products.csv", "--org", "Acme", "--dry-run")
    ran = cli("import", "products", "products.csv", "--org", "Acme")

    assert dry.code == ran.code == 1
    assert dry.err == ran.err
    assert ran.out == f"products: 3 added, {len(BAD_PRODUCTS)} refused.\n" == dry.out.removeprefix("Would be: ")
    for number, (said, (_, words)) in enumerate(zip(ran.err.splitlines(), BAD_PRODUCTS, strict=True), start=5):
        assert said.startswith(f"line {number}: ") and words in said


BAD_STOCK = [
    ("GIFT,MAIN,3,,,", "no stock"),
    ("NOPE,MAIN,3,,,", "'NOPE' does not exist"),
    ("MUG-1,NOWHERE,3,,,", "'NOWHERE' does not exist"),
    ("MUG-1,MAIN,0.5,,,", "Quantity 0.5"),
    ("MUG-1,MAIN,-5,,,", "Quantity -5"),
    ("MUG-1,MAIN,many,,,", "no number"),
    ("MUG-1,MAIN,,,,", "quantity is missing"),
    ("MUG-1,MAIN,5,abc,,", "no amount such as 3.50"),
    ("MUG-1,MAIN,5,1,,next week", "neither a day"),
]


@pytest.mark.usefixtures("stocked")
def test_bad_lines_of_stock_are_named_and_the_others_taken_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(STOCK + "MUG-1,MAIN,1,,,\n" + "\n".join(line for line, _ in BAD_STOCK) + "\n")

    dry = cli("import", "stock", "more.csv", "--org", "Acme", "--dry-run")
    ran = cli("import", "stock", "more.csv", "--org", "Acme")

    assert dry.code == ran.code == 1
    assert ran.out == f"lines of stock: 1 added, 3 skipped, {len(BAD_STOCK)} refused.\n"
    for number, (said, (_, words)) in enumerate(zip(ran.err.splitlines()[:-1], BAD_STOCK, strict=True), start=6):
        assert said.startswith(f"line {number}: ") and words in said
    assert [line.split(":")[0] for line in dry.err.splitlines()] == [
        line.split(":")[0] for line in ran.err.splitlines()[:-1]
    ]
    assert _stock(cli)["MUG-1"] == "21"


SHOPIFY_OLD = """\
Handle,Title,Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Tracker,Variant Inventory Policy,\
Variant Price,Variant Requires Shipping,Variant Barcode,Image Src,Gift Card,Status
tee,Tee,Malhas,Size,S,TEE-S,shopify,deny,20.00,true,'4006381333931,https://x/1.jpg,false,active
tee,,,,M,,shopify,continue,20.00,true,ABC,https://x/2.jpg,,
tee,,,,,,,,,,,https://x/3.jpg,,
gift,Gift card,Us,Title,Default Title,,,deny,10.00,false,,,true,draft
"""
SHOPIFY_NEW = """\
URL handle,Title,Vendor,Option1 name,Option1 value,SKU,Inventory tracker,Continue selling when out of stock,Price,\
Requires shipping,Barcode,Product image URL,Gift card,Status
tee,Tee,Malhas,Size,S,TEE-S,shopify,DENY,20.00,TRUE,4006381333931,https://x/1.jpg,FALSE,Active
tee,,,,M,,shopify,CONTINUE,20.00,TRUE,ABC,https://x/2.jpg,,
tee,,,,,,,,,,,https://x/3.jpg,,
gift,Gift card,Us,Title,Default Title,,,DENY,10.00,FALSE,,,TRUE,Draft
"""


@pytest.mark.parametrize("text", [SHOPIFY_OLD, SHOPIFY_NEW], ids=["old headers", "new headers"])
def test_shopifys_product_export(cli: Cli, acme: dict[str, str], tmp_path: Path, text: str) -> None:
    (tmp_path / "shopify.csv").write_text("\ufeff" + text)

    ran = cli("import", "products", "shopify.csv", "--org", "Acme")
    stock = "sku,location,quantity\nTEE-S,MAIN,1\nTEE-M,MAIN,2\nGIFT,MAIN,3\n"
    (tmp_path / "stock.csv").write_text(stock)
    received = cli("import", "stock", "stock.csv", "--org", "Acme")

    assert (ran.code, ran.out) == (0, "products: 3 added, 0 refused.\n")
    assert "line 3: note: no SKU: called TEE-M" in ran.err and "barcode 'ABC' is no GTIN" in ran.err
    assert received.err.splitlines() == ["line 4: GIFT is digital: it has no stock."]
    rows = list(csv.DictReader(io.StringIO(_export(cli, "stock"))))
    assert [(row["sku"], row["title"], row["gtin"]) for row in rows] == [
        ("TEE-M", "Tee - M", ""),
        ("TEE-S", "Tee - S", "4006381333931"),
    ]


def test_a_barcode_that_a_variant_before_has_is_left_out(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "shopify.csv").write_text(SHOPIFY_NEW.replace("ABC", "04006381333931"))

    ran = cli("import", "products", "shopify.csv", "--org", "Acme")

    assert (ran.code, ran.out) == (0, "products: 3 added, 0 refused.\n")
    assert "TEE-M: imported without barcode. Line 2 has 04006381333931 already." in ran.err


@pytest.mark.usefixtures("stocked")
def test_a_gtin_that_another_product_has_is_refused_by_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("sku,title,gtin\nMUG-9,Mug,04006381333931\nMUG-8,Mug,\n")

    ran = cli("import", "products", "more.csv", "--org", "Acme")

    assert (ran.code, ran.err) == (1, "line 2: Product 'MUG-1' has the GTIN 04006381333931 already.\n")


@pytest.mark.parametrize(
    ("content", "words", "code"),
    [
        (b"", "is empty", 1),
        (b"a,b\n1,2\n", "missing: 'sku'", 1),
        (b"sku,title,colour\nX,y,red\n", "column 'colour' is not known", 1),
        (b"sku,title,sku\nX,y,z\n", "in the header twice", 1),
        (b"sku,title\n\xff\xfe,x\n", "UTF-8", 1),
        (b'sku,title\nX,"open\n', "is not CSV", 1),
        (None, "No such file", 2),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    cli: Cli, acme: dict[str, str], tmp_path: Path, content: bytes | None, words: str, code: int
) -> None:
    path = tmp_path / "products.csv"
    if content is not None:
        path.write_bytes(content)

    refused = cli("import", "products", path, "--org", "Acme")

    assert refused.code == code and words in refused.err and refused.err.count("\n") == 1


def test_a_cell_never_becomes_a_formula(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("sku,title\n=1+1,=HYPERLINK(1)\n")
    cli("import", "products", "products.csv", "--org", "Acme")
    (tmp_path / "stock.csv").write_text("sku,location,quantity\n=1+1,MAIN,1\n")
    cli("import", "stock", "stock.csv", "--org", "Acme")

    assert _export(cli, "stock").splitlines()[1].startswith("'=1+1,'=HYPERLINK(1)")


# A dry run is the run ------------------------------------------------------------------------------------------------

DRY_PRODUCTS = """\
sku,title,precision,kind,gtin,price
MUG-1,,2,,,
COFFEE,,,digital,,
NEW-1,New,,,4006381333931,
NEW-2,New,0,,,5.00
MUG-1,twice,,,,
GIFT,Gift card,,,,
GIFT-2,Gift card,,toy,,
COFFEE,,,,,
"""


@pytest.mark.usefixtures("stocked")
def test_a_dry_run_of_products_says_what_the_run_does(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(DRY_PRODUCTS)

    dry = cli("import", "products", "more.csv", "--org", "Acme", "--dry-run", "--json")
    again = cli("import", "products", "more.csv", "--org", "Acme", "--dry-run", "--json")
    ran = cli("import", "products", "more.csv", "--org", "Acme", "--json")

    told = dry.json
    assert dry.json == again.json == {**ran.json, "dry_run": True} and (dry.code, dry.err) == (ran.code, ran.err)
    assert (told["added"], told["changed"], told["skipped"], told["refused"]) == (1, 0, 1, 6)
    words = {line["line"]: line["detail"] for line in told["lines"]}
    assert words[2] == "The precision of MUG-1 is fixed: it has ledger entries."
    assert words[3] == "The kind of COFFEE is fixed: it has ledger entries."
    assert words[4] == "Product 'MUG-1' has the GTIN 4006381333931 already."


# What spreadsheets make of a file ------------------------------------------------------------------------------------


def test_a_file_of_a_spreadsheet_with_decimal_commas(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(
        "\ufeffsep=;\r\nsku;title;price;precision;reorder_point\r\nA;Apfel;12,50;;\r\nB;Birne;1.234,50;2;0,5\r\n"
    )
    (tmp_path / "same.csv").write_text("sku,price,reorder_point\nA,12.5,\nB,1234.5,0.50\n")
    (tmp_path / "stock.csv").write_text("sku;location;quantity;unit_cost\nA;MAIN;10;3,5\nB;MAIN;2,25;10\n")

    ran = cli("import", "products", "products.csv", "--org", "Acme")
    same = cli("import", "products", "same.csv", "--org", "Acme")
    stock = cli("import", "stock", "stock.csv", "--org", "Acme")

    assert (ran.code, ran.err, same.out) == (0, "", "products: 2 unchanged, 0 refused.\n")
    assert (stock.code, _stock(cli)) == (0, {"A": "10", "B": "2.25"})


@pytest.mark.usefixtures("stocked")
def test_a_barcode_that_lost_or_gained_zeros_is_the_same(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("sku,gtin\nMUG-1,04006381333931\n")

    assert cli("import", "products", "more.csv", "--org", "Acme").out == "products: 1 unchanged, 0 refused.\n"


REPLACED = [
    ("1.23457E+12,Mug,,", "sku '1.23457E+12': a spreadsheet has rounded it"),
    ("#N/A,Mug,,", "sku '#N/A' is an error of a spreadsheet"),
    ("NULL,Mug,,", "sku 'NULL' stands for nothing"),
    ("MUG-7,#REF!,,", "title '#REF!' is an error of a spreadsheet"),
    ("MUG-8,Mug,00000000,", "gtin '00000000' is no GTIN"),
    ("MUG-9,Mug,,1e3", "price '1e3' is no amount such as 19.99"),
]


def test_what_a_spreadsheet_has_replaced_is_named_by_line(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("sku,title,gtin,price\n" + "".join(f"{line}\n" for line, _ in REPLACED))

    ran = cli("import", "products", "products.csv", "--org", "Acme")

    assert (ran.code, ran.out) == (1, f"products: nothing to do, {len(REPLACED)} refused.\n")
    for number, (said, (_, words)) in enumerate(zip(ran.err.splitlines(), REPLACED, strict=True), start=2):
        assert said.startswith(f"line {number}: {words}")


@pytest.mark.usefixtures("stocked")
def test_a_quantity_that_is_written_short_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,location,quantity,lot_code\nMUG-1,MAIN,1e3,\nMUG-1,MAIN,1,4.2E+11\n")

    ran = cli("import", "stock", "stock.csv", "--org", "Acme")

    assert ran.code == 1 and ran.err.splitlines() == [
        "line 2: quantity '1e3' is short for a number: write all of its digits.",
        "line 3: lot_code '4.2E+11': a spreadsheet has rounded it; format the column as text and export again.",
    ]
