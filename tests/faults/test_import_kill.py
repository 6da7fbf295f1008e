"""kill -9 in the middle of an import: another process goes on with it, and every row is booked once."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from holdfast.check import check
from holdfast.core.organisation.imports import StartImport, TakeBackImport
from holdfast.core.organisation.keys import AddKey
from holdfast.db.imports import import_job, import_row, keep_file
from holdfast.import_export.jobs import packed
from tests.races.stand import do, found, open_shop, python, stock_up
from tests.shop import rows

LINES = 1_000
SKUS = 10
WAIT_SECONDS = 120


class Worker:
    """A process that works on imports."""

    def __init__(self, url: str) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `kill`
        self.process = python("tests.faults.importing", {"url": url}, self.errors)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(WAIT_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            assert pipe is not None
            pipe.close()


def _job(shop: Any, name: str) -> Any:
    with shop.database.reading() as connection:
        return connection.execute(sa.select(import_job).where(import_job.c.id == name)).mappings().one()


def _wait(shop: Any, name: str, reached: Any) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        job = _job(shop, name)
        if reached(job):
            return job
        assert time.monotonic() < deadline, dict(job)
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_in_the_middle_of_an_import_and_of_taking_it_back(database_url: str) -> None:
    with open_shop(database_url) as shop:
        actor = found(shop)
        for number in range(SKUS):
            stock_up(shop, actor, f"MUG-{number}", 0)
        key = do(shop, actor, AddKey(name="import", key_hash="a" * 64, role="owner"))
        actor = msgspec.structs.replace(actor, id=key.id, name="key:import")
        lines = [f"MUG-{number % SKUS},MAIN,{number + 1},1.00" for number in range(LINES)]
        digest, content = packed("\n".join(["sku,location,quantity,unit_cost", *lines]))
        keep_file(shop.database, actor.org_id, digest, content)
        name = do(shop, actor, StartImport("stock", digest, LINES)).id

        first = Worker(database_url)
        _wait(shop, name, lambda job: job["added"] > 0)
        first.kill()
        assert _job(shop, name)["state"] == "running"
        workers = [Worker(database_url)] if shop.database.is_sqlite else [Worker(database_url), Worker(database_url)]
        job = _wait(shop, name, lambda job: job["state"] == "done")

        assert (job["added"], job["refused"], job["interruptions"]) == (LINES, 0, 0)
        assert _units(shop) == LINES * (LINES + 1) // 2
        assert len(rows(shop.database, "SELECT id FROM receipt")) == LINES
        with shop.database.reading() as connection:
            told = connection.execute(sa.select(import_row.c.line).where(import_row.c.import_id == name)).scalars()
            assert sorted(told) == list(range(2, LINES + 2))

        do(shop, actor, TakeBackImport(name))
        _wait(shop, name, lambda job: job["taken_back"] > 0)
        for worker in workers:
            worker.kill()
        last = Worker(database_url)
        job = _wait(shop, name, lambda job: job["state"] == "taken_back")
        last.kill()
        assert (job["taken_back"], job["kept"], _units(shop)) == (LINES, 0, 0)
        assert check(shop.database).mismatches == []


def _units(shop: Any) -> int:
    return sum(int(one["on_hand"]) for one in rows(shop.database, "SELECT on_hand FROM level"))
