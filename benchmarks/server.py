"""The PostgreSQL server that benchmarks run against: durable, the same for Holdfast and the yardsticks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.postgres import temporary_server

SETTINGS: dict[str, object] = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",  # no checkpoint, with its burst of full pages, within a run
    "checkpoint_timeout": "30min",
    "max_connections": 200,
}

COMMIT_DELAY: dict[str, object] = {"commit_delay": 1000, "commit_siblings": 0}
"""A simulated flush of one millisecond more: whoever flushes a group of commits first waits 1,000 us."""


@contextmanager
def benchmark_server(*, commit_delay: bool = False) -> Iterator[str]:
    """A fresh durable server in a temporary directory; gives the address of its database.

    The address is a Unix socket, which every client here, pgbench included, is fastest through.
    """
    settings = SETTINGS | (COMMIT_DELAY if commit_delay else {})
    with temporary_server(fsync=True, settings=settings) as server:
        yield server.socket_url()
