"""The suite sees a statement that is not for one organisation, and its list names no more of them than it must."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.check import check
from holdfast.db import browser_sessions, imports
from holdfast.db import credentials as directory
from holdfast.db.attempts import forget_attempts
from holdfast.db.batch import session
from holdfast.db.key_notes import note_refused, note_uses
from holdfast.db.organisations import organisations
from holdfast.db.upkeep.day_ends import keep_day_ends
from holdfast.db.upkeep.totals import beside_waiting, forget_answers, totals
from holdfast.sweeper import serve_stuck, sweep
from holdfast.tokens import digest_of
from tests.conftest import Postgres
from tests.partitions.allowed import ALLOWED, Allowed
from tests.partitions.recorder import NotRouted, Recorder
from tests.shop import Shop, open_shop

CHECKOUT = Path(__file__).parent.parent.parent

PLANTED = """
from holdfast.db.engine import Database
from holdfast.db.batch.session import PostgresBatchSession

def test_planted(partitioned_url):
    database = Database(partitioned_url)
    session = PostgresBatchSession(database)
    session.fetch("SELECT id FROM level WHERE product_id = :product", product="{product}")
    session.close()
    database.dispose()
"""


@pytest.fixture
def shop(partitioned_url: str) -> Iterator[Shop]:
    """A shop whose tables lie in partitions."""
    with open_shop(partitioned_url) as shop:
        yield shop


@pytest.fixture(scope="module")
def explained_url(postgres_server: Postgres) -> Iterator[str]:
    """A database to explain statements on."""
    name = postgres_server.create_partitioned()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def listener(explained_url: str) -> Iterator[Recorder]:
    """A recorder beside the one that listens to all tests."""
    recorder = Recorder(explained_url)
    with recorder.listening():
        yield recorder
    recorder.close()


@pytest.fixture
def planted(recorder: Recorder, shop: Shop) -> Iterator[session.BatchSession]:
    """The product's session, for statements that the recorder of all tests is not to judge."""
    opened = session.open_batch_session(shop.holdfast.database)
    yield opened
    opened.close()
    recorder.forget()


PRODUCT = "01890000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT id FROM level WHERE product_id = :product", r"partitions \[0, 1, 2, 3\]"),
        ("SELECT l.id FROM level l JOIN product p ON p.id = l.product_id WHERE l.org_id = :org", "partitions"),
        ("SELECT id FROM level WHERE org_id IN (:org)", "list of organisations"),
        ("SELECT key FROM answered WHERE (org_id, key) IN ((:org, 'a'))", "list of organisations"),
        ("DELETE FROM day_end WHERE id >= '2026-01-01' RETURNING id", "partitions"),
    ],
)
def test_a_wide_statement_is_told_with_its_sender(
    listener: Recorder, planted: session.BatchSession, shop: Shop, sql: str, told: str
) -> None:
    planted.fetch(sql, org=shop.org_id, product=PRODUCT)

    with pytest.raises(NotRouted, match=told) as caught:
        listener.assert_routed("this test")

    assert "PostgresBatchSession.fetch" in str(caught.value)
    assert sql[:20] in str(caught.value)
    assert "this test" in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM posting WHERE org_id = :org RETURNING org_id",
        "UPDATE ledger SET note = NULL WHERE org_id = :org RETURNING id",
        "UPDATE event_batch SET size = 0 WHERE org_id = :org RETURNING id",
        "INSERT INTO audit SELECT * FROM audit WHERE org_id = :org ON CONFLICT (org_id, id) DO UPDATE SET actor = ''",
    ],
)
def test_a_statement_that_rewrites_what_was_written_is_told(
    listener: Recorder, planted: session.BatchSession, shop: Shop, sql: str
) -> None:
    planted.fetch(sql if "RETURNING" in sql else f"{sql} RETURNING audit.id", org=shop.org_id)

    with pytest.raises(NotRouted, match="rewrites a table that is append-only"):
        listener.assert_routed("this test")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM level WHERE org_id = :org",
        "SELECT p.id FROM level l LEFT JOIN product p ON p.org_id = l.org_id WHERE l.org_id = :org",
        "SELECT 1",
    ],
)
def test_a_statement_for_one_organisation_passes(
    listener: Recorder, planted: session.BatchSession, shop: Shop, sql: str
) -> None:
    planted.fetch(sql, org=shop.org_id)

    listener.assert_routed("this test")


def test_a_planted_wide_statement_fails_the_run(postgres_server: Postgres, tmp_path: Path) -> None:
    """A run of its own, with the fixtures of this one: it fails, and says which statement and which test."""
    (tmp_path / "test_planted.py").write_text(PLANTED.format(product=PRODUCT))
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "tests.conftest", "-c", "pyproject.toml"]

    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", f"--rootdir={CHECKOUT}", tmp_path / "test_planted.py"],
        cwd=CHECKOUT,
        env={**os.environ, "HOLDFAST_TEST_POSTGRES_URL": postgres_server.admin_url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1, run.stdout + run.stderr
    assert "SELECT id FROM level WHERE product_id = " in run.stdout
    assert "Sent while" in run.stdout
    assert "::test_planted ran" in run.stdout


def test_what_is_allowed_is_wide(listener: Recorder, shop: Shop) -> None:
    """An entry of the list that no statement needs any more has to go."""
    database, now = shop.holdfast.database, time.time_ns() // 1000
    directory.key_of(database, "0" * 64)
    directory.users_of(database, "nobody@arcoiris.example")
    directory.browser_session_of(database, "0" * 64, now, 1)
    browser_sessions.pending(database, "0" * 64, now)
    forget_attempts(database, now)
    directory.till_of(database, "0" * 64)
    organisations(database, "Arco Iris")
    sweep(database, shop.holdfast.executor)
    beside_waiting(database, now, limit=10)
    imports.due(database)
    serve_stuck(database, shop.holdfast.executor)
    keep_day_ends(database, now)
    forget_answers(database, now)
    totals(database, now)
    assert check(database).ok

    listener.assert_routed("this test")

    assert set(listener.wide) == set(ALLOWED)


def test_a_token_is_looked_up_in_one_partition(explained_url: str, shop: Shop) -> None:
    """Keys, sessions and tills that name their organisation, and what is noted of keys."""
    database, now, org_id = shop.holdfast.database, time.time_ns() // 1000, shop.org_id
    with contextlib.closing(Recorder(explained_url, allowed=())) as strict:
        with strict.listening():
            assert directory.key_of(database, digest_of(shop.api_key), org_id) is not None
            directory.browser_session_of(database, "0" * 64, now, 1, org_id)
            browser_sessions.pending(database, "0" * 64, now, org_id)
            directory.till_of(database, "0" * 64, org_id)
            directory.end_browser_session(database, "0" * 64, org_id)
            note_uses(database, {(org_id, org_id): now})
            note_refused(database, org_id, org_id, "203.0.113.7", now)
        strict.assert_routed("this test")

        assert strict.explained >= 7


def test_check_of_one_organisation_stays_with_it(explained_url: str, shop: Shop) -> None:
    """The same streams as for everybody, now held to one partition."""
    with contextlib.closing(Recorder(explained_url, allowed=())) as strict:
        with strict.listening():
            assert check(shop.holdfast.database, org_id=shop.org_id).ok
        strict.assert_routed("this test")

        assert strict.explained > 20


def test_an_entry_of_the_list_is_for_its_sender_alone() -> None:
    entry = Allowed("holdfast.db.credentials.key_of", "a reason", only_unnamed=True)

    assert entry.allows("holdfast.db.credentials.key_of", named=False)
    assert not entry.allows("holdfast.db.credentials.key_of", named=True)
    assert not entry.allows("holdfast.db.credentials.till_of", named=False)
