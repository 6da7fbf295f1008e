"""import products and stock: as WooCommerce, Square and Shopify export them; headers that nobody knows."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

GTIN = "8, 12, 13 or 14 digits, the last one checking the others."
WOO = """\
ID,Type,SKU,"GTIN, UPC, EAN, or ISBN",Name,Published,Tax class,In stock?,Stock,Low stock amount,Backorders allowed?,\
Sale price,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)
1,simple,MUG-1,4006381333931,Mug,1,reduced,1,5,2,0,,12.50,,,
2,variable,SHIRT,,Shirt,1,,1,,,0,,,,Size,"S, M"
3,variation,SHIRT-S,,Shirt - S,1,,1,3,,notify,,20.00,SHIRT,Size,S
4,variation,,ABC,Shirt,1,,1,3,,0,,20.00,SHIRT,Size,M
5,"simple, virtual",SONG,,Song,-1,,1,,,0,,0.99,,,
6,external,ELSE,,Elsewhere,1,,1,,,0,,5.00,,,
"""
SQUARE = """\
Token,Item Name,Variation Name,SKU,Description,Category,GTIN,Item Type,Price,Archived,Current Quantity Fair
T1,Mug,Regular,MUG-1,,Ceramics,4006381333931,Physical good,"$1,012.50",N,5
T2,Mug,Large,,,Ceramics,,Physical good,variable,Y,
T3,Class,Regular,CLASS,,,,Event,30.00,N,
"""
SHOPIFY_NEW = """\
Handle,Title,Option1 Name,Option1 Value,SKU,HS Code,COO,Location,Bin name,Incoming (not editable),\
Unavailable (not editable),Committed (not editable),Available (not editable),On hand (current),On hand (new)
mug,Mug,Title,Default Title,'MUG-1,,,Main,,0,0,0,4,4,6
shirt,Shirt,Size,S,,,,MAIN,,0,0,0,3,3,
shirt,Shirt,Size,S,,,,Back Room,,0,0,0,,not stocked,
"""
SHOPIFY_OLD = """\
Handle,Title,Option1 Name,Option1 Value,SKU,HS Code,COO,MAIN,Attic
mug,Mug,Title,Default Title,MUG-1,,,6,not stocked
shirt,Shirt,Size,S,,,,3,1
"""


def _products(cli: Cli, tmp_path: Path, text: str) -> tuple[int, str, str]:
    (tmp_path / "products.csv").write_text(text)
    return tuple(cli("import", "products", "products.csv", "--org", "Acme"))  # type: ignore[return-value] # of three


def test_woocommerces_products(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    code, out, err = _products(cli, tmp_path, WOO)

    assert (code, out) == (0, "products: 4 added, 0 refused.\n")
    assert [line.partition("note: ")[2] for line in err.splitlines()] == [
        "no SKU: called SHIRT-M",
        f"SHIRT-M: imported without barcode. barcode 'ABC' is no GTIN: {GTIN}",
        "Elsewhere: sold elsewhere, so it is no product.",
    ]
    assert _products(cli, tmp_path, WOO)[1] == "products: 4 unchanged, 0 refused.\n"


def test_squares_item_library(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    code, out, err = _products(cli, tmp_path, SQUARE)

    assert (code, out) == (0, "products: 3 added, 0 refused.\n"), err
    assert err == "line 3: note: no SKU: called MUG-LARGE\n"
    assert _products(cli, tmp_path, SQUARE)[1] == "products: 3 unchanged, 0 refused.\n"


@pytest.mark.parametrize("text", [SHOPIFY_NEW, SHOPIFY_OLD], ids=["a row a location", "a column a location"])
def test_shopifys_inventory(cli: Cli, acme: dict[str, str], tmp_path: Path, text: str) -> None:
    _products(cli, tmp_path, "sku,title\nMUG-1,Mug\nSHIRT-S,Shirt\n")
    (tmp_path / "stock.csv").write_text(text)

    dry = cli("import", "stock", "stock.csv", "--org", "Acme", "--dry-run")
    ran = cli("import", "stock", "stock.csv", "--org", "Acme")
    again = cli("import", "stock", "stock.csv", "--org", "Acme", "--set")

    assert dry.out == f"Would be: {ran.out.splitlines()[0]}\n"
    assert ran.out.startswith("lines of stock: 2 added, ")
    assert again.out.startswith("lines of stock: 2 unchanged, ")
    assert ("Attic" in ran.err or "attic" in ran.err) == (text is SHOPIFY_OLD)
    rows = csv.DictReader(cli("export", "stock", "--org", "Acme").out.splitlines())
    assert [(row["sku"], row["quantity"]) for row in rows] == [("MUG-1", "6"), ("SHIRT-S", "3")]


def test_two_columns_of_one_location(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("Handle,Option1 Name,SKU,Main,Main.\nmug,Title,MUG-1,1,2\n")

    ran = cli("import", "stock", "stock.csv", "--org", "Acme")

    assert ran.code == 1 and "The columns 'main', 'main.' are one location here" in ran.err


@pytest.mark.parametrize(
    ("what", "header", "words"),
    [
        (
            "products",
            "Name,Type,Regular price,Published",
            "nearest is WooCommerce's export of products. Recognised: 'name'",
        ),
        ("products", "Bezeichnung,Preis", "None of its columns is recognised; it has 'bezeichnung', 'preis'"),
        ("stock", "sku,quantity", "Recognised: 'sku', 'quantity'; missing: 'location'"),
        ("stock", "Handle,Title,On hand (new)", "nearest is Shopify's export of inventory"),
        ("orders", "Name,Email,Total,Lineitem sku", "nearest is Shopify's export of orders"),
    ],
)
def test_a_header_that_nobody_knows(
    cli: Cli, acme: dict[str, str], tmp_path: Path, what: str, header: str, words: str
) -> None:
    (tmp_path / "file.csv").write_text(f"{header}\n")

    ran = cli("import", what, "file.csv", "--org", "Acme")

    assert ran.code == 1 and words in ran.err, ran.err
