"""A founded PostgreSQL database to copy, and its facts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shop import founded


@pytest.fixture(scope="session")
def founded_shop(postgres_server) -> tuple[str, dict[str, Any]]:
    name = postgres_server.create_database()
    return name, founded(postgres_server.url(name))
