"""Rows of older versions get the one spelling; two that become the same are told apart and named, never merged."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from holdfast.check import check
from holdfast.core.organisation.products import AddProduct
from holdfast.core.organisation.settings import AddTaxRate
from holdfast.db.migrate import revisions
from tests.shop import Shop, open_shop, quick_sqlite

upgrade = import_module("holdfast.db.migrations.versions.0008_spelling").upgrade


def _respell(shop: Shop) -> None:
    with (
        shop.holdfast.database.engine.begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        upgrade()


def _rename(shop: Shop, known: str, **fields: str) -> None:
    """Write a row as an older version could."""
    with shop.holdfast.database.engine.begin() as connection:
        for name, value in fields.items():
            connection.execute(sa.text(f"UPDATE product SET {name} = :v WHERE sku = :s"), {"v": value, "s": known})


def _products(shop: Shop) -> dict[str, str]:
    return {row["id"]: row["sku"] for row in shop.rows("SELECT id, sku FROM product ORDER BY id")}


def test_what_looks_the_same_is_told_apart(database_url: str) -> None:
    assert "0008" in revisions()
    with quick_sqlite(), open_shop(database_url) as shop:
        names = ["first", "second", "third", "plain", "hidden", "alone"]
        ids = {name: shop.ok(AddProduct(name, tax_class="std")).id for name in names}
        shop.ok(AddTaxRate("std", "0.15"))
        _rename(shop, "first", title="Cafe\u0301", sku="cafe\u0301")
        _rename(shop, "second", sku="caf\u00e9\u200b")
        _rename(shop, "third", sku="caf\u00e9")
        _rename(shop, "hidden", sku="plain\u200b")
        _rename(shop, "alone", tax_class="st\u00a0d", sku="te\u0301")

        _respell(shop)
        found = _products(shop)

        assert [found[ids[name]] for name in names] == [
            "caf\u00e9 (2)", "caf\u00e9 (3)", "caf\u00e9", "plain", "plain (2)", "t\u00e9",
        ]  # fmt: skip
        told = shop.rows("SELECT record_id, changes FROM audit WHERE actor = 'migration 0008'")
        by_id = {row["record_id"]: _json(row["changes"]) for row in told}
        assert by_id[ids["first"]] == {
            "sku": "caf\u00e9 (2)",
            "title": "Caf\u00e9",
            "before": {"sku": "cafe\u0301", "title": "Cafe\u0301"},
        }
        assert set(by_id) == {ids[name] for name in ("first", "second", "hidden", "alone")}
        rows = shop.rows("SELECT tax_class FROM product WHERE sku = :s", s="t\u00e9")
        assert rows == [{"tax_class": "st d"}]
        assert check(shop.holdfast.database).mismatches == []

        _respell(shop)
        assert _products(shop) == found, "a second time there is nothing to do"
        with pytest.raises(AssertionError):
            shop.ok(AddProduct("cafe\u0301"))


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
