"""A till sells while strangers do their worst: it stays quick, nothing of it fails, and the server does not grow.

The figures are in docs/performance.md (`python -m benchmarks.hostile`); here they only must not be of another size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.hostile import ATTACKS, Felt, Server, felt, quiet, serving

SECONDS = 3
QUIET_MS_MIN = 40
"""The quiet till of a machine that does something else besides; 10 times as much is still no stop."""

TIMES_MAX = 10
GROWN_MIB_MAX = 50
HASHES_MIB = 2 * 64
"""What two password hashes at once take (Argon2id)."""

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("beside-a-till")]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Felt]]:
    """A server, and what its till feels alone."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'shop.db'}"
        else:
            postgres = request.getfixturevalue("postgres_server")
            name = postgres.create_database()
            stack.callback(postgres.drop_database, name)
            url = postgres.url(name)
        server = stack.enter_context(serving(url, folder))
        felt(server, quiet, 1)  # the first of everything
        yield server, felt(server, quiet, SECONDS)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_till_sells_beside_strangers(alone: tuple[Server, Felt], attack: str) -> None:
    server, before = alone
    if attack == "table lock" and server.url.startswith("sqlite"):
        pytest.skip("SQLite has no locks of tables; of the whole file: test_locks_held")

    beside = felt(server, ATTACKS[attack], SECONDS)

    assert before.failed == beside.failed == []
    assert beside.sold > 20
    assert beside.p99_ms < TIMES_MAX * max(before.p99_ms, QUIET_MS_MIN), (before.p99_ms, beside.p99_ms)
    assert beside.grown_mib < GROWN_MIB_MAX + (HASHES_MIB if attack == "sign-ins" else 0)
