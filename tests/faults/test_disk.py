"""SQLite without room, and SQLite that somebody else keeps locked."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import tempfile
import threading
import time

import pytest

from holdfast import executor
from holdfast.db.engine import Database
from tests.faults.clients import Clients
from tests.races.stand import (
    ANSWER_SECONDS,
    Tally,
    assert_books,
    buy,
    found,
    open_shop,
    outcome_of,
    python,
    rush,
    stock_up,
)

UNITS = 1_000_000


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB; only root can mount one."""
    place = tmp_path / "small"
    place.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "holdfast-test", place], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", place], capture_output=True, check=True)


def _fill_up(url: str, actor, how: str, place: str) -> dict:
    order = {"url": url, "org_id": actor.org_id, "how": how, "place": place}
    with tempfile.TemporaryFile("w+") as errors, python("tests.faults.filling", order, errors) as process:
        said, _ = process.communicate(timeout=ANSWER_SECONDS * 2)
        errors.seek(0)
        assert process.returncode == 0, errors.read()[-3000:]
    told: dict = json.loads(said.splitlines()[-1])
    return told


def _assert_filled(url: str, actor, told: dict) -> None:
    """What was accepted is there once, what was Unavailable is not, and it worked again when there was room."""
    database = Database(url)
    orders = assert_books(database, actor).orders()
    database.dispose()
    assert not told["strange"], told["strange"][:3]
    assert told["unavailable"], "the disk never was full: the test has tested nothing"
    assert told["accepted"], "nothing was sold before the disk was full"
    assert orders == dict.fromkeys(told["accepted"] + told["later"] + told["repeated"], 1)
    assert len(told["later"]) == 50
    assert len(told["repeated"]) == len(told["unavailable"])


def test_a_file_that_may_not_grow(tmp_path):
    """The limit of the process stands for a full disk wherever the tests run."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with open_shop(url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)

    told = _fill_up(url, actor, "limit", str(tmp_path))

    _assert_filled(url, actor, told)


def test_a_disk_that_is_full(small_disk):
    """The real thing: no space left on the device, then room again."""
    url = f"sqlite:///{small_disk / 'shop.db'}"
    with open_shop(url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)

    told = _fill_up(url, actor, "ballast", str(small_disk))

    _assert_filled(url, actor, told)


def test_another_writer_that_comes_and_goes(sqlite_url):
    """A backup or the command line holds the one write lock now and then: everybody just waits."""
    with open_shop(sqlite_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        clients = Clients(shop, actor, count=4)
        with contextlib.closing(sqlite3.connect(shop.database.path, timeout=30, isolation_level=None)) as other:
            for _ in range(5):
                other.execute("BEGIN IMMEDIATE")
                time.sleep(0.15)
                other.execute("COMMIT")
                clients.wait_for_more(5)
        clients.stop()
        clients.assert_kept()
        assert not clients.not_done


def test_another_writer_that_does_not_let_go(sqlite_url):
    """Locked for longer than anybody waits: told so, nothing done; afterwards it works by itself."""
    with open_shop(sqlite_url, queue_age_seconds=2.0) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        with contextlib.closing(sqlite3.connect(shop.database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked = rush(shop, actor, [buy("MUG-1", f"locked-{n}") for n in range(50)], threads=4)
            other.execute("ROLLBACK")
        after = rush(shop, actor, [buy("MUG-1", f"after-{n}") for n in range(50)], threads=4)

        assert [type(one).__name__ for one in locked] == ["LockedElsewhere"] * 50
        assert Tally(after).accepted == 50, Tally(after).failed[:3]
        assert assert_books(shop, actor).orders() == {f"after-{n}": 1 for n in range(50)}


def test_readers_never_keep_a_writer_waiting(sqlite_url):
    """A long read (a report, a check, a backup) is open while others buy."""
    with open_shop(sqlite_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        with shop.database.reading() as connection:
            before = connection.exec_driver_sql("SELECT count(*) FROM reservation").scalar()
            outcomes = rush(shop, actor, [buy("MUG-1", f"o-{n}") for n in range(200)], threads=4)
            assert connection.exec_driver_sql("SELECT count(*) FROM reservation").scalar() == before == 0
        assert Tally(outcomes).accepted == 200
        assert_books(shop, actor)


def test_a_process_that_closes_answers_what_it_accepted(database_url):
    """Clean shutdown in mid-load: every future has its answer, later ones hear Unavailable."""
    shop = open_shop(database_url, batch_max=20)
    actor = found(shop)
    stock_up(shop, actor, "MUG-1", UNITS)
    futures = [shop.submit(actor, buy("MUG-1", f"o-{n}")) for n in range(300)]
    closing = threading.Thread(target=shop.close)
    closing.start()

    outcomes = [outcome_of(future) for future in futures]

    closing.join(ANSWER_SECONDS)
    assert Tally(outcomes).accepted == 300, Tally(outcomes).failed[:3]
    with pytest.raises(executor.Unavailable):
        shop.submit(actor, buy("MUG-1", "late"))
    database = Database(database_url)
    assert assert_books(database, actor).orders() == {f"o-{n}": 1 for n in range(300)}
    database.dispose()
