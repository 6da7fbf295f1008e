"""import stock: a line is what it means, a dry run is the run, and what was exported can be read back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.db.engine import Database
from tests.cli.conftest import Cli

PRODUCTS = """\
sku,title,precision
MUG-1,Mug,0
BEANS,Coffee beans (kg),2
"""


@pytest.fixture
def shop(cli: Cli, acme: dict[str, str], tmp_path: Path) -> dict[str, str]:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    assert cli("import", "products", "products.csv", "--org", "Acme").code == 0
    return acme


def _import(cli: Cli, tmp_path: Path, text: str, *options: str) -> Any:
    (tmp_path / "stock.csv").write_bytes(text.encode())
    ran = cli("import", "stock", "stock.csv", "--org", "Acme", "--json", *options)
    return ran.json | {"code": ran.code, "err": ran.err}


def _counts(told: Any) -> tuple[int, int, int, int]:
    return told["added"], told["changed"], told["skipped"], told["refused"]


def _rows(cli: Cli, org: str = "Acme") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(cli("export", "stock", "--org", org).out)))


def _stock(cli: Cli, org: str = "Acme") -> dict[tuple[str, str], str]:
    return {(row["sku"], row["location"]): row["quantity"] for row in _rows(cli, org)}


def _ledger(cli: Cli) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(cli("export", "ledger", "--org", "Acme", "--format", "json").out)
    return entries


def _forget_answers(database_url: str) -> None:
    """Two days later, after an upkeep."""
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM answered")
    database.dispose()


# A line is what it means ---------------------------------------------------------------------------------------------

FIRST = "sku,location,quantity,unit_cost\nMUG-1,MAIN,40,3.50\nTEAPOT,MAIN,3,8.00\n"
MENDED = "sku,location,quantity,unit_cost\r\nMUG-1,MAIN,40,3.5\r\nMUG-1,MAIN,3,8\r\n"


@pytest.mark.usefixtures("shop")
def test_a_file_that_a_spreadsheet_has_saved_again_is_not_taken_twice(
    cli: Cli, tmp_path: Path, database_url: str
) -> None:
    first = _import(cli, tmp_path, FIRST)
    mended = _import(cli, tmp_path, MENDED)
    _forget_answers(database_url)
    later = _import(cli, tmp_path, MENDED)

    assert (_counts(first), first["code"]) == ((1, 0, 0, 1), 1)
    assert (_counts(mended), mended["code"]) == ((1, 0, 1, 0), 0)
    assert (_counts(later), later["code"]) == ((0, 0, 2, 0), 0)
    assert _stock(cli) == {("MUG-1", "MAIN"): "43"}


AS_TYPED = """\
sku,location,quantity,unit_cost,lot_code,expires_at
MUG-1,MAIN,40,3.50,0815,
BEANS,MAIN,12.25,9.800,HONDURAS-3,2031-03-01
BEANS,MAIN,1,9.80,,2031-03-01T09:00:00Z
MUG-1,MAIN,40,3.50,0815,
"""
SAME = {
    "spelling": AS_TYPED.replace("MAIN", "main")
    .replace("3.50", "3.5")
    .replace("12.25", "12.250")
    .replace(",40,", ",40.0,"),
    "line ends": AS_TYPED.replace("\n", "\r\n") + "\r\n\r\n",
    "order of lines": "".join([AS_TYPED.splitlines(True)[0], *reversed(AS_TYPED.splitlines(True)[1:])]),
    "order of columns": (
        "Expires_At,unit_cost,SKU,location,lot_code,quantity\n"
        ",3.5,MUG-1,MAIN,0815,40\n"
        "2031-03-01,9.8,BEANS,MAIN,HONDURAS-3,12.25\n"
        "2031-03-01T10:00:00+01:00,9.8,BEANS,MAIN,,1\n"
        ",3.5,MUG-1,MAIN,0815,40\n"
    ),
    "semicolons and commas": "sep=;\n" + AS_TYPED.replace(",", ";").replace(".", ","),
    "tabs, quotes, a mark": "\ufeff"
    + "".join("\t".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in AS_TYPED.splitlines()),
    "spaces": AS_TYPED.replace(",", " , "),
    "an empty column": "\n".join(line + "," for line in AS_TYPED.splitlines()),
}


@pytest.mark.usefixtures("shop")
def test_every_way_to_write_the_same_line_is_the_same_line(cli: Cli, tmp_path: Path, database_url: str) -> None:
    _import(cli, tmp_path, AS_TYPED)
    before = _stock(cli)
    _forget_answers(database_url)

    told = {name: _counts(_import(cli, tmp_path, text)) for name, text in SAME.items()}

    assert told == dict.fromkeys(SAME, (0, 0, 4, 0))
    assert _stock(cli) == before == {("BEANS", "MAIN"): "13.25", ("MUG-1", "MAIN"): "80"}


@pytest.mark.usefixtures("shop")
def test_equal_lines_of_a_file_are_lines_of_their_own_also_the_second_time(cli: Cli, tmp_path: Path) -> None:
    two = "sku,location,quantity\nMUG-1,MAIN,10\nMUG-1,MAIN,10.0\n"

    told = [_counts(_import(cli, tmp_path, text)) for text in (two, two, two + "MUG-1,main,10\n", two)]

    assert told == [(2, 0, 0, 0), (0, 0, 2, 0), (1, 0, 2, 0), (0, 0, 2, 0)]
    assert _stock(cli) == {("MUG-1", "MAIN"): "30"}


@pytest.mark.usefixtures("shop")
def test_opening_stock_that_the_books_have_otherwise_is_named_and_not_taken(cli: Cli, tmp_path: Path) -> None:
    _import(cli, tmp_path, "sku,location,quantity,unit_cost,lot_code\nMUG-1,MAIN,40,3.50,0815\nBEANS,MAIN,2,9.8,\n")
    corrected = (
        "sku,location,quantity,unit_cost,lot_code\nMUG-1,MAIN,45,3.50,815\nMUG-1,MAIN,5,3.50,B9\nBEANS,MAIN,2,9.8,\n"
    )

    told = _import(cli, tmp_path, corrected)
    stock = _stock(cli)
    again = _import(cli, tmp_path, corrected, "--again")

    assert (_counts(told), told["code"]) == ((1, 0, 2, 0), 0)
    assert told["notes"] == [
        {
            "line": 2,
            "detail": "not taken: MUG-1 at MAIN, lot 815, has other opening stock already (40 at 3.50). "
            "--again takes the line on top of it.",
        }
    ]
    assert stock == {("BEANS", "MAIN"): "2", ("MUG-1", "MAIN"): "45"}
    assert _counts(again) == (3, 0, 0, 0)


@pytest.mark.usefixtures("shop")
def test_goods_that_were_bought_are_no_opening_stock(cli: Cli, tmp_path: Path, database_url: str) -> None:
    _import(cli, tmp_path, "sku,location,quantity,unit_cost\nMUG-1,MAIN,40,3.50\n")
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE receipt SET kind = 'purchase'")
        connection.exec_driver_sql("DELETE FROM answered")
    database.dispose()

    assert _counts(_import(cli, tmp_path, "sku,location,quantity,unit_cost\nMUG-1,MAIN,40,3.50\n")) == (1, 0, 0, 0)


# A dry run is the run ------------------------------------------------------------------------------------------------

BIG = "MUG-1,MAIN,999999999999,,,\n"
DRY_STOCK = {
    "transit": "MUG-1,TRANSIT,1,,,\n",
    "too much on one level": BIG + BIG,
    "too much on a level with stock": BIG,
    "taken already": "MUG-1,MAIN,40,3.50,A7,\n",
    "more decimals": "MUG-1,MAIN,0.5,,,\n",
    "nothing": "MUG-1,MAIN,0,,,\n",
    "unknown": "NOPE,MAIN,1,,,\nMUG-1,NOWHERE,1,,,\n",
}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("options", [(), ("--again",), ("--set",), ("--count",)])
def test_a_dry_run_of_stock_says_what_the_run_does(cli: Cli, tmp_path: Path, options: tuple[str, ...]) -> None:
    header = "sku,location,quantity,unit_cost,lot_code,expires_at\n"
    _import(cli, tmp_path, header + DRY_STOCK["taken already"])
    whole = header + "".join(DRY_STOCK.values())

    for text in [header + lines for lines in DRY_STOCK.values()] + [whole]:
        before = _ledger(cli)
        dry = _import(cli, tmp_path, text, *options, "--dry-run")
        assert _ledger(cli) == before
        ran = _import(cli, tmp_path, text, *options)
        assert {**dry, "err": "", "dry_run": False} == {**ran, "err": ""}


@pytest.mark.usefixtures("shop")
def test_a_dry_run_knows_a_recalled_lot(cli: Cli, tmp_path: Path, database_url: str) -> None:
    _import(cli, tmp_path, "sku,location,quantity,unit_cost,lot_code\nMUG-1,MAIN,40,3.50,A7\n")
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE lot SET status = 'quarantined'")
    database.dispose()
    text = "sku,location,quantity,unit_cost,lot_code\nMUG-1,MAIN,40,3.5,A7\nMUG-1,MAIN,2,3.5,A7\n"

    dry = _import(cli, tmp_path, text, "--dry-run")

    assert _counts(dry) == (0, 0, 1, 1)
    assert dry["lines"] == [{"line": 3, "detail": "Lot A7 is quarantined."}]


# Reading an export back ----------------------------------------------------------------------------------------------

OPENING = """\
sku,location,quantity,unit_cost,lot_code,expires_at
MUG-1,MAIN,40,3.50,A7,
MUG-1,MAIN,2,3.333333,,
MUG-1,MAIN-QUARANTINE,1,0,,
BEANS,MAIN,12.25,9.812345,HONDURAS-3,2031-03-01
=1+1,MAIN,5,1.00,,
'=x,MAIN,6,1.00,,
"""


def _founded(cli: Cli, tmp_path: Path, org: str) -> None:
    assert cli("org", "create", org, "--owner", f"ana@{org.lower()}.example").code == 0
    (tmp_path / "more.csv").write_text(PRODUCTS + "=1+1,Formula,0\n''=x,Apostrophe,0\n")
    assert cli("import", "products", "more.csv", "--org", org).code == 0


def test_an_export_is_read_back_into_another_shop_and_into_its_own(cli: Cli, tmp_path: Path) -> None:
    _founded(cli, tmp_path, "One")
    _founded(cli, tmp_path, "Two")
    (tmp_path / "stock.csv").write_text(OPENING.replace("'=x", "''=x"))
    assert cli("import", "stock", "stock.csv", "--org", "One").code == 0
    exported = cli("export", "stock", "--org", "One").out
    (tmp_path / "export.csv").write_text(exported)

    moved = cli("import", "stock", "export.csv", "--org", "Two", "--json")
    told = [
        cli("import", "stock", "export.csv", "--org", org, *options, "--json").json
        for org in ("One", "Two")
        for options in ((), ("--set",), ("--count",))
    ]

    assert (moved.code, _counts(moved.json)) == (0, (5, 0, 0, 0))
    assert cli("export", "stock", "--org", "Two").out == exported
    assert [_counts(one) for one in told] == [(0, 0, 5, 0)] * 6
    assert not any(one["notes"] for one in told)
    assert cli("export", "stock", "--org", "One").out == exported
    assert cli("check").code == 0


@pytest.mark.usefixtures("shop")
def test_an_old_export_does_not_add_to_what_is_there(cli: Cli, tmp_path: Path) -> None:
    _import(cli, tmp_path, "sku,location,quantity,unit_cost\nMUG-1,MAIN,40,3.50\nBEANS,MAIN,2,9.8\n")
    exported = cli("export", "stock", "--org", "Acme").out
    _import(cli, tmp_path, "sku,location,quantity\nMUG-1,MAIN,37\n", "--set")

    told = _import(cli, tmp_path, exported)
    doubled = _import(cli, tmp_path, exported + exported.splitlines()[1] + "\n")
    stock = _stock(cli)
    put_back = _import(cli, tmp_path, exported, "--set")

    assert _counts(told) == (0, 0, 2, 0)
    assert told["notes"] == [
        {"line": 3, "detail": "MUG-1 has been at MAIN already: --set makes it what the file says."}
    ]
    assert doubled["lines"] == [{"line": 4, "detail": "Line 2 is about the same product and location already."}]
    assert stock[("MUG-1", "MAIN")] == "37"
    assert (_counts(put_back), _stock(cli)[("MUG-1", "MAIN")]) == ((0, 1, 1, 0), "40")


# Setting and counting ------------------------------------------------------------------------------------------------

THERE = "sku,location,quantity,unit_cost\nMUG-1,MAIN,40,3.50\nBEANS,MAIN,2.5,9.8\n"
SEEN = "sku,location,quantity\nMUG-1,main,38\nBEANS,MAIN,2.50\nBEANS,MAIN-QUARANTINE,0.25\n"
BAD_SEEN = """\
NOPE,MAIN,1,
MUG-1,NOWHERE,1,
MUG-1,MAIN,5,
MUG-1,TRANSIT,5,
BEANS,MAIN-QUARANTINE,-1,
BEANS,TRANSIT,1,A7
"""


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("option", "kind"), [("--set", "ADJUSTMENT"), ("--count", "COUNT")])
def test_a_file_says_what_is_there(cli: Cli, tmp_path: Path, option: str, kind: str) -> None:
    _import(cli, tmp_path, THERE)
    before = len(_ledger(cli))

    dry = _import(cli, tmp_path, SEEN, option, "--dry-run")
    told = _import(cli, tmp_path, SEEN, option)
    again = _import(cli, tmp_path, SEEN, option)

    assert _counts(dry) == _counts(told) == (0, 2, 1, 0)
    assert _counts(again) == (0, 0, 3, 0)
    assert [(entry["sku"], entry["ref_type"], entry["qty_delta"]) for entry in _ledger(cli)[before:]] == [
        ("MUG-1", kind, -2),
        ("BEANS", kind, 0.25),
    ]
    assert _stock(cli) == {("BEANS", "MAIN"): "2.5", ("BEANS", "MAIN-QUARANTINE"): "0.25", ("MUG-1", "MAIN"): "38"}
    assert cli("check").code == 0


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("option", ["--set", "--count"])
def test_bad_lines_of_what_is_there_are_named_and_the_others_taken(cli: Cli, tmp_path: Path, option: str) -> None:
    text = "sku,location,quantity,lot_code\n" + SEEN.partition("\n")[2].replace("\n", ",\n") + BAD_SEEN

    told = _import(cli, tmp_path, text, option)

    assert _counts(told) == (0, 3, 0, 6)
    words = [line["detail"] for line in told["lines"]]
    assert [line["line"] for line in told["lines"]] == [5, 6, 7, 8, 9, 10]
    assert words[0] == "Product 'NOPE' does not exist." and words[1] == "Location 'NOWHERE' does not exist."
    assert words[2] == "Line 2 is about the same product and location already."
    assert "on the road" in words[3] and "must be 0 or more" in words[4]
    assert words[5] == f"lot_code is said of what comes in: {option} takes a product at a location as a whole."


def test_one_way_to_take_a_file_of_stock(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text(SEEN)

    ran = cli("import", "stock", "stock.csv", "--org", "Acme", "--set", "--count")

    assert (ran.code, ran.err) == (2, "holdfast: Give one of --again, --set and --count.\n")


# Zeros ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
def test_a_line_of_nothing_brings_nothing(cli: Cli, tmp_path: Path) -> None:
    told = _import(cli, tmp_path, "sku,location,quantity\nMUG-1,MAIN,0\nBEANS,MAIN,0.00\n")

    assert (_counts(told), _stock(cli)) == ((0, 0, 2, 0), {})


@pytest.mark.usefixtures("shop")
def test_what_a_file_says_is_set_where_a_lot_has_just_expired(cli: Cli, tmp_path: Path, database_url: str) -> None:
    """The row still has 5 units, which are about to go to quarantine: they are not the 5 of the file."""
    first = "sku,location,quantity,unit_cost,expires_at\nMUG-1,MAIN,5,1.00,2099-01-01T00:00:00Z\n"
    assert _counts(_import(cli, tmp_path, first)) == (1, 0, 0, 0)
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE lot_stock SET sellable_until = 1")
        connection.exec_driver_sql("UPDATE lot SET expires_at = 1")
    database.dispose()

    told = _import(cli, tmp_path, "sku,location,quantity\nMUG-1,MAIN,5\nMUG-1,MAIN-QUARANTINE,5\n", "--set")
    assert _counts(told) == (0, 1, 1, 0), told
    assert _stock(cli) == {("MUG-1", "MAIN"): "5", ("MUG-1", "MAIN-QUARANTINE"): "5"}
