"""docs/seeds.md is true: what it names exists; and the requirements that no other test has to itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import sqlalchemy as sa

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.cli import run
from holdfast.core.organisation.places import ChangeLocation
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.records.ledger import RefType
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.order_holds import ConsumeAtLevel
from holdfast.core.reservations.reserve import Release, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.schema import metadata
from holdfast.organisation import establish
from holdfast.web.api import ROUTES
from tests.docs.pages import DOCS, ROOT

NOT_YET = "not yet"
_ROW = re.compile(r"^\|((?:[^|\n]|\\\|)*)\|((?:[^|\n]|\\\|)*)\|((?:[^|\n]|\\\|)*)\|((?:[^|\n]|\\\|)*)\|$", re.MULTILINE)


class Row(NamedTuple):
    """One requirement: what the seed asks, our word, where it lives, what proves it."""

    ask: str
    word: str
    where: str
    proof: str


def rows() -> list[Row]:
    """The requirements of the page."""
    text = (DOCS / "seeds.md").read_text(encoding="utf-8")
    found = [Row(*(cell.strip() for cell in match.groups())) for match in _ROW.finditer(text)]
    return [row for row in found if row.proof not in ("proof", "---")]


@lru_cache(maxsize=256)
def functions(path: Path) -> frozenset[str]:
    """The functions of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_there_are_requirements_of_every_seed() -> None:
    """The parser reads the page: five seeds, and no few rows."""
    text = (DOCS / "seeds.md").read_text(encoding="utf-8")

    assert re.findall(r"^## (\d{3}) ", text, re.MULTILINE) == ["000", "001", "002", "003", "004"]
    assert len(rows()) > 150


def test_every_proof_exists() -> None:
    """A row is proved by a test that is there, or says that it is not yet."""
    wrong = []
    for row in rows():
        if row.proof == NOT_YET:
            continue
        path, _, name = row.proof.strip("`").partition("::")
        file = ROOT / path
        if not file.is_file() or name not in functions(file):
            wrong.append(f"{row.ask}: {row.proof}")

    assert wrong == []


def test_every_place_exists() -> None:
    """A row lives in a module or a route that is there; only what is not yet lives nowhere."""
    known = {f"{route.method} {route.path}" for route in ROUTES}
    wrong = []
    for row in rows():
        place = row.where.strip("`")
        there = place in known or (ROOT / "src" / "holdfast" / place).is_file() or place == "docs/"
        if not (there if place else row.proof == NOT_YET):
            wrong.append(f"{row.ask}: {place}")

    assert wrong == []


# Requirements that no other test has to itself -----------------------------------------------------------------------


class Stand(NamedTuple):
    """A shop with a mug, and its owner."""

    shop: Holdfast
    ana: Actor

    def do(self, command: Any) -> Any:
        """Give a command; its answer, which must not be a refusal."""
        answer = self.shop.do(self.ana, command).answer
        assert not isinstance(answer, Rejected), answer
        return answer

    def ledger(self) -> list[dict[str, Any]]:
        """The ledger, oldest first."""
        return list(reversed(self.shop.reports.ledger(self.ana.org_id).items))

    def level(self) -> dict[str, Any]:
        """The mug's entry at MAIN."""
        level: dict[str, Any] = self.shop.reports.levels(self.ana.org_id, product="MUG-1").items[0]
        return level


@pytest.fixture
def stand(database_url: str) -> Iterator[Stand]:
    """A shop on each kind of database."""
    with Holdfast.open(database_url) as shop:
        made = establish(shop.database, "Arco Iris", "ana@arcoiris.example", password="correct horse")
        here = Stand(shop, Actor(made.org_id, "ana", Role.OWNER))
        here.do(AddProduct(sku="MUG-1", title="Mug"))
        yield here


def _receive(quantity: int, cost: str = "3.50", kind: str = "purchase") -> Receive:
    return Receive("MAIN", (ReceiptLine("MUG-1", quantity, unit_cost=cost),), kind)


def test_available_is_never_stored() -> None:
    """No table has a column for it."""
    columns = {column.name for table in metadata.tables.values() for column in table.columns}

    assert [name for name in columns if name.startswith("available") and name != "available_from"] == []


def test_holds_move_no_value(stand: Stand) -> None:
    """Promising and giving back is operational, not financial."""
    stand.do(_receive(5))
    stand.do(Release(stand.do(Reserve("MUG-1", 2)).id))

    promises = [line for line in stand.ledger() if line["ref_type"] in ("RESERVE", "RELEASE")]

    assert [(line["qty_delta"], line["value_delta"]) for line in promises] == [(0, "0.00"), (0, "0.00")]


@pytest.mark.parametrize("change", ["on_hand = -1", "reserved = -1", "reserved = on_hand + 1"])
def test_the_database_itself_refuses_negative_stock(stand: Stand, change: str) -> None:
    """Constraints repeat the invariants, on levels and on lots."""
    stand.do(_receive(5))

    for table in ("level", "lot_stock"):
        with pytest.raises(sa.exc.IntegrityError), stand.shop.database.writing() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET {change}")


def test_a_maker_sells_without_a_hold(stand: Stand) -> None:
    """In simple mode what no hold covers is sold from the free units."""
    stand.do(_receive(5))
    stand.do(ChangeSettings(mode="simple"))

    stand.do(ConsumeAtLevel("MUG-1", "MAIN", 2))

    assert stand.level()["quantity"] == 3
    assert [line["ref_type"] for line in stand.ledger()] == ["RECEIPT", "SALE"]


def test_found_units_take_the_last_cost(stand: Stand) -> None:
    """What is found is worth what was paid last."""
    stand.do(_receive(5, "3.50"))
    stand.do(_receive(5, "4.00"))

    stand.do(AdjustStock("MUG-1", "MAIN", 2))

    assert stand.ledger()[-1]["value_delta"] == "8.00"


def test_a_finished_batch_is_a_receipt(stand: Stand) -> None:
    """Makers log batches."""
    stand.do(_receive(12, "1.25", "finished_batch"))

    line = stand.ledger()[-1]

    assert (line["ref_type"], line["source"], line["qty_delta"]) == ("RECEIPT", "finished_batch", 12)


def test_inventory_reserved_has_the_fields_of_the_use_case(stand: Stand) -> None:
    """Seed 003, section 12."""
    stand.do(_receive(5))
    stand.do(Reserve("MUG-1", 2, target=Target("102")))

    event = stand.shop.reports.events(stand.ana.org_id).items[-1]

    wanted = {
        "reservation_id",
        "product_id",
        "quantity",
        "reserved_for_id",
        "reserved_for_type",
        "expires_at",
        "timestamp",
    }
    assert event["type"] == "InventoryReserved"
    assert wanted <= event["data"].keys()


def test_the_ledger_has_the_reference_types_of_the_plan() -> None:
    """Seed 004, section 0."""
    assert {"ADJUSTMENT", "SALE", "RETURN", "TRANSFER", "RECEIPT", "COUNT"} <= set(get_args(RefType))


def test_low_stock_falls_back_from_place_to_product_to_organisation(stand: Stand) -> None:
    """The location's threshold, else the product's, else the organisation's; none of them is none."""
    stand.do(_receive(5))
    org_id = stand.ana.org_id
    product_id = stand.level()["product_id"]
    place = stand.shop.reports.location(org_id, "MAIN")
    assert place is not None

    def low() -> tuple[Any, bool]:
        level = stand.level()
        return level["threshold"], level["is_low_stock"]

    assert low() == (0, False)
    stand.do(ChangeSettings(default_reorder_point=5))
    assert low() == (5, True)
    stand.do(ChangeProduct(product_id, reorder_point=4))
    assert low() == (4, False)
    stand.do(ChangeLocation(place["id"], reorder_points={product_id: 6}))
    assert low() == (6, True)
    stand.do(ChangeLocation(place["id"], reorder_points={product_id: None}))
    stand.do(ChangeProduct(product_id, reorder_point=None))
    stand.do(ChangeSettings(default_reorder_point=None))
    assert low() == (None, False)


def test_check_finds_what_was_changed_behind_its_back(
    stand: Stand, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 004, increment 7: 0 when clean, not 0 when a level is not what the ledger says."""
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    stand.do(_receive(5))
    stand.do(Reserve("MUG-1", 2))
    assert run(["check"]) == 0

    with stand.shop.database.writing() as connection:
        connection.exec_driver_sql("UPDATE level SET on_hand = on_hand + 1")

    assert run(["check"]) == 1
