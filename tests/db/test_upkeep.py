"""What the sweeper does for the database itself."""

from __future__ import annotations

import time

import sqlalchemy as sa

from holdfast.app import Holdfast
from holdfast.core.decide import CommandGroup
from holdfast.core.organisation.products import AddProduct
from holdfast.db.upkeep.totals import STALE_ROWS_MIN, refresh_statistics
from holdfast.organisation import establish


def test_tables_that_have_doubled_get_fresh_statistics(database_url: str) -> None:
    with Holdfast.open(database_url) as shop:
        made = establish(shop.database, "Acme", "owner@acme.test")
        names = [f"SKU-{number}" for number in range(STALE_ROWS_MIN + 100)]
        shop.do(made.actor, CommandGroup(tuple(AddProduct(sku=name, title=name) for name in names)))

        gathered = _until_gathered(shop)

        if shop.database.is_sqlite:
            assert gathered == []
            return
        assert "product" in gathered
        with shop.database.reading() as connection:
            rows = connection.execute(sa.text("SELECT reltuples FROM pg_class WHERE relname = 'product'")).scalar()
        assert rows == len(names)
        assert refresh_statistics(shop.database) == []


def _until_gathered(shop: Holdfast) -> list[str]:
    """PostgreSQL counts changes with a delay of about a second."""
    end = time.monotonic() + (0 if shop.database.is_sqlite else 20)
    gathered = refresh_statistics(shop.database)
    while "product" not in gathered and time.monotonic() < end:
        time.sleep(0.2)
        gathered = gathered + refresh_statistics(shop.database)
    return gathered
