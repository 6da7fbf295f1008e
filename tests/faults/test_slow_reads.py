"""Reads have an end: behind a lock, and by themselves; what tells that the process lives waits for none of them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import psycopg
import pytest
import sqlalchemy as sa

from holdfast.app import Holdfast
from holdfast.db.credentials import is_away, words_of_away
from holdfast.db.engine import READ_LOCK_SECONDS
from holdfast.web.http.callers import READS_MAX
from holdfast.web.http.protocol import Bounds
from tests.faults.test_hostile_connections import serving

READS = 20
GRACE_SECONDS = 5

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def test_health_is_told_while_a_table_is_locked(postgres_url: str, tmp_path: Path) -> None:
    """Reads behind the lock are given up with the reason; /healthz never waits, /readyz and /metrics hardly."""
    with serving(tmp_path, Bounds(), url=postgres_url) as served, psycopg.connect(postgres_url) as console:
        console.execute("LOCK TABLE level IN ACCESS EXCLUSIVE MODE")
        answers: list[httpx.Response] = []

        def read() -> None:
            with served.client() as client:
                answers.append(client.get("/api/v1/store/inventory", timeout=60))

        readers = [threading.Thread(target=read) for _ in range(READS)]
        began = time.monotonic()
        for reader in readers:
            reader.start()
        time.sleep(0.5)
        with served.client() as client:
            for path in ("/healthz", "/readyz", "/metrics"):
                asked = time.monotonic()
                assert client.get(path).status_code == 200
                assert time.monotonic() - asked < READ_LOCK_SECONDS / 2, path
        for reader in readers:
            reader.join()
        waited = time.monotonic() - began
        console.rollback()
        with served.client() as client:
            assert client.get("/api/v1/store/inventory").status_code == 200
    assert [answer.status_code for answer in answers] == [503] * READS
    assert "holds a lock" in answers[0].json()["detail"]
    assert waited < READ_LOCK_SECONDS * (1 + READS / READS_MAX) + GRACE_SECONDS  # so many of one caller at a time


def test_a_read_that_does_not_end_is_given_up(database_url: str) -> None:
    with Holdfast.open(database_url, read_seconds=0.5) as shop:
        began = time.monotonic()
        with pytest.raises(sa.exc.OperationalError) as caught, shop.database.reading() as connection:
            connection.execute(sa.text(ENDLESS))
        assert time.monotonic() - began < GRACE_SECONDS
        assert is_away(caught.value) and "took too long" in words_of_away(caught.value)
        with shop.database.reading() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
