"""The PostgreSQL server that benchmarks run against: durable, the same for Holdfast and the yardsticks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.postgres import temporary_server

SETTINGS: dict[str, object] = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",  # no checkpoint, with its burst of full pages, within a run
    "checkpoint_timeout": "30min",
    "max_connections": 200,
    "min_wal_size": "1GB",
}

COMMIT_DELAY: dict[str, object] = {"commit_delay": 1000, "commit_siblings": 0}
"""A simulated flush of one millisecond more: whoever flushes a group of commits first waits 1,000 us."""


WAL_FILES = 60
"""Write-ahead log files of 16 MiB that lie ready: more than the warm-up and the window of a run can fill."""


@contextmanager
def benchmark_server(*, commit_delay: bool = False) -> Iterator[str]:
    """A fresh durable server in a temporary directory; gives the address of its database.

    The address is a Unix socket, which every client here, pgbench included, is fastest through.
    """
    settings = SETTINGS | (COMMIT_DELAY if commit_delay else {})
    with temporary_server(fsync=True, settings=settings) as server:
        _fill_wal(server.socket_url())
        yield server.socket_url()


def _fill_wal(url: str) -> None:
    """Let the server use log files again, as one does that has run for a while.

    A new server makes each of them anew, 16 MiB of zeros and a flush: a pause of 50 ms for everybody, as often as a
    load fills one.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(WAL_FILES):
            connection.execute("SELECT pg_logical_emit_message(false, 'benchmark', 'fill'), pg_switch_wal()")
        connection.execute("CHECKPOINT")
