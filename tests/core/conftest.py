"""Scenes on a fresh shop; after each of them everything in docs/reference/invariants.md must hold (tests.truth)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.scene import Scene
from tests.shop import Clock, founded, open_shop, quick_sqlite, shop_in
from tests.truth import assert_truth


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time that the test moves."""
    with Clock().running() as clock:
        yield clock


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A scene on SQLite, with a clock to move."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        yield Scene(shop, clock)
        assert_truth(shop)


@pytest.fixture(scope="session")
def founded_postgres(postgres_server) -> tuple[str, dict]:
    """A founded PostgreSQL database to copy, and its facts."""
    name = postgres_server.create_database()
    return name, founded(postgres_server.url(name))


@pytest.fixture(scope="session")
def founded_partitioned(postgres_server) -> tuple[str, dict]:
    """The same with every table in partitions."""
    name = postgres_server.create_partitioned()
    return name, founded(postgres_server.url(name))


@pytest.fixture(params=["sqlite", "postgresql", "partitioned"])
def scene_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A scene on SQLite, on PostgreSQL, and there once more in partitions; time passes by itself."""
    if request.param == "sqlite":
        with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
            yield Scene(shop, None)
            assert_truth(shop)
        return
    kind = {"postgresql": "founded_postgres", "partitioned": "founded_partitioned"}[request.param]
    template, facts = request.getfixturevalue(kind)
    server = request.getfixturevalue("postgres_server")
    name = server.create_database(template=template)
    with shop_in(server.url(name), facts) as shop:
        yield Scene(shop, None)
        assert_truth(shop)
    server.drop_database(name)
