"""Shops for the executor's tests: on SQLite, with a clock to move; on both databases where nothing depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop import Clock, Shop, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time that the test moves."""
    with Clock().running() as clock:
        yield clock


@pytest.fixture
def shop(tmp_path: Path, clock: Clock) -> Iterator[Shop]:
    """A shop on SQLite."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        yield shop
        assert_truth(shop)


@pytest.fixture
def shop_anywhere(database_url: str) -> Iterator[Shop]:
    """A shop on SQLite and on PostgreSQL."""
    with quick_sqlite(), open_shop(database_url) as shop:
        yield shop
        assert_truth(shop)
