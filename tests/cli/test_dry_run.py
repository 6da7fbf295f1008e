"""A dry run says what the run does, whatever is in the file and in the shop: generated files, one after another."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.app import Holdfast
from holdfast.db.engine import Database
from holdfast.db.organisations import organisations
from holdfast.import_export import Outcome, StockMode, import_products, import_stock
from holdfast.organisation import command_line, establish


def _mostly(good: tuple[str, ...], bad: tuple[str, ...]) -> st.SearchStrategy[str]:
    """A cell that is good nine times of ten."""
    return st.integers(0, 9).flatmap(lambda dice: st.sampled_from(bad if dice == 9 else good))


SKU = _mostly(("A", "B"), ("a", "GIFT", "NOPE", "NULL", ""))
STOCK_ROW = st.tuples(
    SKU,
    _mostly(("MAIN", "main", "MAIN-QUARANTINE"), ("TRANSIT", "NOWHERE", "")),
    _mostly(("1", "1.0", "2", "3"), ("0.5", "0.50", "0", "-1", "1e3", "999999999999", "many")),
    _mostly(("", "3.5", "3.50"), ("0", "1e9", "1000000000")),
    _mostly(("", "L1", "007", "7"), ("l1", "#N/A")),
    _mostly(("", "2099-03-01"), ("2099-03-01T00:00:00Z", "tomorrow")),
)
PLACE_ROW = st.tuples(
    SKU,
    _mostly(("MAIN", "main", "MAIN-QUARANTINE"), ("TRANSIT", "NOWHERE", "")),
    _mostly(("1", "1.0", "2", "3", "0"), ("0.5", "-1", "1e3", "1000000000001")),
)
PRODUCT_ROW = st.tuples(
    SKU,
    _mostly(("", "Apple", "Bun"), ("#N/A",)),
    _mostly(("", "physical"), ("digital", "toy")),
    _mostly(("",), ("0", "2")),
    _mostly(("", "4006381333931", "04006381333931"), ("00000000",)),
    _mostly(("", "1.00", "1", "2"), ("0.5",)),
    _mostly(("", "true"), ("false", "perhaps")),
)
STOCK_HEADER = "sku,location,quantity,unit_cost,lot_code,expires_at"
PLACE_HEADER = "sku,location,quantity"
PRODUCT_HEADER = "sku,title,kind,precision,gtin,reorder_point,active"
FILES = st.one_of(
    st.tuples(st.just(None), st.lists(PRODUCT_ROW, min_size=1, max_size=6)),
    st.tuples(st.just(StockMode.OPENING), st.lists(STOCK_ROW, min_size=1, max_size=6)),
    st.tuples(st.sampled_from((StockMode.SET, StockMode.COUNT)), st.lists(PLACE_ROW, min_size=1, max_size=6)),
)


def _text(header: str, rows: list[tuple[str, ...]]) -> str:
    return "\n".join([header, *map(",".join, rows)]) + "\n"


def _rows(database: Database) -> list[int]:
    """How many rows there are of whatever an import writes."""
    tables = ("ledger", "level", "lot", "answered", "count_sheet", "receipt", "product", "audit", "event_batch")
    with database.reading() as connection:
        return [connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in tables]


@pytest.mark.slow
def test_a_dry_run_is_the_run(tmp_path: Path) -> None:
    """Its outcome is the run's, to the word, and it leaves nothing behind."""
    tally = {"added": 0, "changed": 0, "skipped": 0, "refused": 0}
    with Holdfast.open(f"sqlite:///{tmp_path}/shop.db") as shop:
        made = establish(shop.database, "Acme", "ana@acme.example")
        organisation = organisations(shop.database, "Acme")[0]
        actor = command_line(made.org_id)
        products = _text(PRODUCT_HEADER, [("A", "Apple", "", "2", "", "", ""), ("B", "Bun", "", "0", "", "", "")])
        import_products(shop, actor, organisation, io.StringIO(products))

        @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(file=FILES)
        def one(file: tuple[StockMode | None, list[tuple[str, ...]]]) -> None:
            mode, rows = file
            run: Callable[..., Outcome]
            if mode is None:
                text = _text(PRODUCT_HEADER, rows)

                def run(**options: Any) -> Outcome:
                    return import_products(shop, actor, organisation, io.StringIO(text, newline=""), **options)
            else:
                text = _text(STOCK_HEADER if mode is StockMode.OPENING else PLACE_HEADER, rows)

                def run(**options: Any) -> Outcome:
                    return import_stock(shop, actor, io.StringIO(text, newline=""), mode=mode, **options)

            before = _rows(shop.database)
            dry = run(dry_run=True)
            assert _rows(shop.database) == before
            ran = run()
            assert msgspec.to_builtins(dry) == msgspec.to_builtins(ran)
            for name in tally:
                tally[name] += getattr(ran, name)

        one()
    assert all(tally.values()), tally
