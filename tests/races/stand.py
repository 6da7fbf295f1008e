"""The stand on which races are run: a small organisation, a rush of buyers, other processes, and a recount.

    shop = open_shop(database_url)
    actor = found(shop)
    stock_up(shop, actor, "MUG-1", 100)
    replies = rush(shop, actor, [buy("MUG-1", f"o-{number}") for number in range(400)])
    assert Tally(replies).accepted == 100
    assert_books(shop, actor)

The recount below shares nothing with the code that keeps the books but the tables' names: it reads every row and adds
up again. It does not judge what a test expected; that is said in the test.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
import uuid_utils

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.organisation.places import AddLocation, AddStore
from holdfast.core.organisation.products import AddProduct
from holdfast.core.records.number import from_minor
from holdfast.core.records.organisation import Settings
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db import schema
from holdfast.db.batch.rows import record_row
from holdfast.db.engine import Database
from holdfast.executor import Reply

ANSWER_SECONDS = 30
"""How long a test waits for an answer before it says that there is none."""

CHECKOUT = Path(__file__).resolve().parents[2]

Outcome = Reply | BaseException


# Building --------------------------------------------------------------------------------------------------------


def open_shop(url: str, **limits: Any) -> Holdfast:
    """Holdfast on the database, set up when it is empty."""
    return Holdfast.open(url, **limits)


def found(shop: Holdfast, *, places: Sequence[str] = ("MAIN", "EAST")) -> Actor:
    """A new organisation with one store, those locations and a transit; its owner."""
    org_id = str(uuid_utils.uuid7())
    row = record_row(org_id, schema.organisation, Settings(id=org_id, name="Race", default_reorder_point=None))
    with shop.database.writing() as connection:
        connection.execute(schema.organisation.insert().values(**row))
    actor = Actor(org_id, "key:race", Role.OWNER)
    store = do(shop, actor, AddStore(code="SHOP", name="Shop"))
    for number, code in enumerate(places):
        do(shop, actor, AddLocation(code=code, store_id=store.id, priority=number))
    do(shop, actor, AddLocation(code="TRANSIT", store_id=store.id, kind="transit"))
    return actor


def stock_up(shop: Holdfast, actor: Actor, sku: str, units: int, location: str = "MAIN", **fields: Any) -> Any:
    """A new product with `units` at the location, its price in minor units of two places; the product."""
    if isinstance(fields.get("price"), int):
        fields["price"] = from_minor(fields["price"], 2)
    product = do(shop, actor, AddProduct(sku=sku, title=sku, **fields))
    if units:
        do(shop, actor, Receive(location, (ReceiptLine(sku, units, "1.00"),)))
    return product


def buy(sku: str, order: str, units: int = 1, location: str | None = "MAIN", **fields: Any) -> Reserve:
    """The command of a buyer who wants units for an order."""
    return Reserve(sku, units, location, Target(order), **fields)


# Acting ----------------------------------------------------------------------------------------------------------


def do(shop: Holdfast, actor: Actor, command: Any, **options: Any) -> Any:
    """Give a command that must be accepted; its answer."""
    answer = shop.submit(actor, command, **options).result(ANSWER_SECONDS).answer
    assert not isinstance(answer, Rejected), f"{command} was refused: {answer}"
    return answer


def refused(shop: Holdfast, actor: Actor, command: Any, **options: Any) -> Rejected:
    """Give a command that must be refused; why it was."""
    answer = shop.submit(actor, command, **options).result(ANSWER_SECONDS).answer
    assert isinstance(answer, Rejected), f"{command} was accepted: {answer}"
    return answer


def rush(
    shops: Holdfast | Sequence[Holdfast],
    actor: Actor,
    commands: Sequence[Any],
    *,
    threads: int = 16,
    keys: Sequence[str] | None = None,
    fingerprint: str = "one",
) -> list[Outcome]:
    """Many threads give all commands at once, round robin over the shops; the outcomes in the order of the commands."""
    doors = [shops] if isinstance(shops, Holdfast) else shops
    outcomes: list[Outcome] = [RuntimeError("not asked")] * len(commands)
    gate = threading.Barrier(threads)

    def buyer(first: int) -> None:
        gate.wait(ANSWER_SECONDS)
        mine: list[tuple[int, Future[Reply]]] = []
        for index in range(first, len(commands), threads):
            key = None if keys is None else keys[index]
            door = doors[index % len(doors)]
            mine.append((index, door.submit(actor, commands[index], key=key, fingerprint=fingerprint)))
        for index, future in mine:
            outcomes[index] = outcome_of(future)

    at_once([lambda first=first: buyer(first) for first in range(threads)])
    return outcomes


def outcome_of(future: Future[Reply]) -> Outcome:
    """What the future held, a raised error as a value."""
    error = future.exception(ANSWER_SECONDS)
    return future.result() if error is None else error


def at_once(works: Sequence[Any]) -> None:
    """Run the works in a thread each; the first error of any of them is raised here."""
    errors: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ANSWER_SECONDS * 2)
        assert not thread.is_alive(), "a thread did not end: some command has no answer"
    if errors:
        raise errors[0]


class Tally:
    """Outcomes counted: accepted (replays apart), refused by code, failed by what was raised."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.answers = [one.answer for one in outcomes if _accepted(one)]
        self.accepted = len(self.answers)
        self.replayed = sum(isinstance(one, Reply) and one.replayed for one in outcomes)
        self.refused = Counter(
            str(one.answer.code) for one in outcomes if isinstance(one, Reply) and isinstance(one.answer, Rejected)
        )
        self.failed = [repr(one) for one in outcomes if not isinstance(one, Reply)]


def _accepted(one: Outcome) -> bool:
    return isinstance(one, Reply) and not one.replayed and not isinstance(one.answer, Rejected)


# Other processes -------------------------------------------------------------------------------------------------


def python(module: str, order: dict[str, Any], errors: IO[str]) -> subprocess.Popen[str]:
    """A process that runs a module of the tests with an order as JSON; its pipes are text."""
    return subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(order)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{CHECKOUT / 'src'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,  # a file, so that a process that logs much never waits for us
        text=True,
    )


class Process:
    """Another process with a Holdfast of its own on the same database, doing one job of `tests/races/process.py`."""

    def __init__(self, url: str, actor: Actor, job: str, **arguments: Any) -> None:
        order = {"url": url, "org_id": actor.org_id, "job": job, "arguments": arguments}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `end`
        self._process = python("tests.races.process", order, self._errors)

    def wait_until_ready(self) -> None:
        """Wait until it is open for business."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line.strip() != "ready":
            self._process.kill()
            raise AssertionError(f"the process did not start: {line}{self._said()}")

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """What it found, when it is done."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, f"the process failed: {self._said()} (it ended with {self._process.returncode})"
        return json.loads(said)

    def end(self) -> None:
        """End it, whatever it does, and let go of its pipes."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _said(self) -> str:
        self._process.wait(ANSWER_SECONDS)
        self._errors.seek(0)
        return self._errors.read()[-3000:]


@contextmanager
def _all_ended(processes: Sequence[Process]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.end()


def in_processes(url: str, actor: Actor, jobs: Sequence[dict[str, Any]]) -> list[Any]:
    """Run each job ({"job": name, **arguments}) in a process of its own, all starting at the same moment."""
    processes = [Process(url, actor, **job) for job in jobs]
    with _all_ended(processes):
        for process in processes:
            process.wait_until_ready()
        for process in processes:
            process.go()
        return [process.result() for process in processes]


# Recounting ------------------------------------------------------------------------------------------------------


class Books:
    """Every row of an organisation's stock, read in one view."""

    def __init__(self, database: Database, org_id: str) -> None:
        with database.reading() as connection:

            def rows(table: sa.Table) -> list[Any]:
                query = sa.select(table).where(table.c.org_id == org_id)
                return list(connection.execute(query).mappings())

            self.levels = rows(schema.level)
            self.lots = rows(schema.lot_stock)
            self.holds = rows(schema.reservation)
            self.entries = rows(schema.ledger)
            self.batches = rows(schema.event_batch)
            self.keys = rows(schema.answered)

    def on_hand(self) -> int:
        """Units in all levels."""
        return sum(level["on_hand"] for level in self.levels)

    def reserved(self) -> int:
        """Units promised in all levels."""
        return sum(level["reserved"] for level in self.levels)

    def orders(self) -> Counter[str]:
        """How many reservations each order number has."""
        return Counter(hold["order_number"] for hold in self.holds if hold["order_number"] is not None)

    def mismatches(self) -> list[str]:
        """Everything that does not add up (docs/reference/invariants.md)."""
        return [*self._levels_wrong(), *self._holds_wrong(), *self._ledger_wrong()]

    def _levels_wrong(self) -> Iterator[str]:
        held: Counter[tuple[str, str]] = Counter()
        waiting: Counter[str] = Counter()
        for hold in self.holds:
            waiting[hold["level_id"]] += hold["backordered"]
            for lot_id, units in hold["allocations"]:
                held[hold["level_id"], lot_id] += units
        by_level: dict[str, list[Any]] = defaultdict(list)
        for at in self.lots:
            by_level[at["level_id"]].append(at)
            name = f"lot {at['lot_id']} at level {at['level_id']}"
            if not 0 <= at["reserved"] <= at["on_hand"]:
                yield f"{name}: reserved {at['reserved']} of {at['on_hand']}"
            promised = held.pop((at["level_id"], at["lot_id"]), 0)
            if at["reserved"] != promised:
                yield f"{name}: reserved {at['reserved']}, allocations say {promised}"
            if at["is_open"] != (at["on_hand"] > 0) or (at["on_hand"] == 0 and at["value"]):
                yield f"{name}: open {at['is_open']}, {at['on_hand']} on hand worth {at['value']}"
        yield from (f"allocation of a lot that is not there: {pair}" for pair, units in held.items() if units)
        for level in self.levels:
            name = f"level {level['id']}"
            if not 0 <= level["reserved"] <= level["on_hand"]:
                yield f"{name}: reserved {level['reserved']} of {level['on_hand']}"
            for field in ("on_hand", "reserved"):
                total = sum(at[field] for at in by_level[level["id"]])
                if total != level[field]:
                    yield f"{name}: {field} {level[field]}, its lots say {total}"
            if level["backordered"] != waiting[level["id"]]:
                yield f"{name}: backordered {level['backordered']}, its holds say {waiting[level['id']]}"

    def _holds_wrong(self) -> Iterator[str]:
        promised: Counter[str] = Counter()
        sold: Counter[str] = Counter()
        for entry in self.entries:
            if entry["reservation_id"] is not None:
                promised[entry["reservation_id"]] += entry["reserved_delta"]
                if entry["ref_type"] == "SALE":
                    sold[entry["reservation_id"]] -= entry["qty_delta"]
        for hold in self.holds:
            name = f"reservation {hold['id']}"
            unsettled = hold["quantity"] - hold["consumed"] - hold["released"]
            allocated = sum(units for _, units in hold["allocations"])
            if unsettled != allocated + hold["backordered"]:
                yield f"{name}: {unsettled} open, {allocated} allocated, {hold['backordered']} backordered"
            if (hold["status"] == "active") != (unsettled > 0):
                yield f"{name}: {hold['status']} with {unsettled} open"
            if promised.pop(hold["id"], 0) != allocated:
                yield f"{name}: {allocated} allocated, the ledger says otherwise"
            if sold.pop(hold["id"], 0) != hold["consumed"]:
                yield f"{name}: {hold['consumed']} consumed, the ledger says otherwise"
        yield from (f"ledger of a reservation that is not there: {name}" for name in promised)

    def _ledger_wrong(self) -> Iterator[str]:
        pairs = (("qty_delta", "balance_after"), ("reserved_delta", "reserved_after"))
        pairs += (("backordered_delta", "backordered_after"),)
        by_level: dict[str, list[Any]] = defaultdict(list)
        lots: Counter[tuple[str, str]] = Counter()
        worth: Counter[tuple[str, str]] = Counter()
        for entry in sorted(self.entries, key=lambda entry: entry["seq"]):
            by_level[entry["level_id"]].append(entry)
            if entry["lot_id"] is not None:
                lots[entry["level_id"], entry["lot_id"]] += entry["qty_delta"]
                worth[entry["level_id"], entry["lot_id"]] += entry["value_delta"]
        for at in self.lots:
            key = at["level_id"], at["lot_id"]
            if (lots[key], worth[key]) != (at["on_hand"], at["value"]):
                yield f"lot {key}: {at['on_hand']} worth {at['value']}, the ledger says {lots[key]}, {worth[key]}"
        for level in self.levels:
            entries = by_level.pop(level["id"], [])
            if [entry["seq"] for entry in entries] != list(range(1, len(entries) + 1)) or level["seq"] != len(entries):
                yield f"level {level['id']}: its ledger has gaps or doubles"
            running = dict.fromkeys((after for _, after in pairs), 0)
            last = 0
            for entry in entries:
                for delta, after in pairs:
                    running[after] += entry[delta]
                    if running[after] != entry[after]:
                        yield f"entry {entry['id']}: {after} is {entry[after]}, not {running[after]}"
                if entry["created_at"] < last:
                    yield f"entry {entry['id']}: time runs backwards"
                last = entry["created_at"]
            if tuple(running.values()) != (level["on_hand"], level["reserved"], level["backordered"]):
                yield f"level {level['id']}: its ledger ends with {running}"
        yield from (f"ledger of a level that is not there: {name}" for name in by_level)


def assert_books(shop: Holdfast | Database, actor: Actor) -> Books:
    """The books add up, by our own recount and by `holdfast check`; the rows."""
    database = shop.database if isinstance(shop, Holdfast) else shop
    books = Books(database, actor.org_id)
    wrong = books.mismatches()
    assert not wrong, f"{len(wrong)} mismatches, first: {wrong[:5]}"
    if importlib.util.find_spec("holdfast.check") is not None:
        from holdfast.check import check

        found_wrong = check(database)
        assert found_wrong.ok, f"holdfast check: {found_wrong.mismatches[:5]}"
    return books
