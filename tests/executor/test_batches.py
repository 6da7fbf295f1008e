"""A batch of N is N batches of one: the same answers, the same rows (a property over drawn commands)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from holdfast.core.decide import Command, CommandGroup, Refusal
from holdfast.core.organisation.places import RemoveLocation
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.appointments import Book, ChangeAppointment
from holdfast.core.reservations.order_holds import (
    ConsumeAtLevel,
    OrderClose,
    OrderLine,
    OrderReserve,
    ReleaseAtLevel,
    ReserveAtLevel,
)
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, UnlistLevel
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
from holdfast.db.batch.load import WriterCatalogs
from holdfast.db.batch.session import open_batch_session
from holdfast.db.engine import Database
from holdfast.executor import Batch, Submission, transaction
from tests.shop import SECOND, Clock, Shop, open_shop, quick_sqlite
from tests.truth import untruths

TABLES = (
    *("product", "location", "level", "lot", "lot_stock", "reservation", "ledger"),
    *("appointment", "receipt", "count_sheet", "transfer", "answered"),
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class Told:
    """A future that is there at once."""

    def __init__(self) -> None:
        self.outcome: Any = None

    def done(self) -> bool:
        return self.outcome is not None

    def set_running_or_notify_cancel(self) -> bool:
        return True

    def cancelled(self) -> bool:
        return False

    def set_result(self, outcome: Any) -> None:
        self.outcome = outcome

    set_exception = set_result


COMPUTED = ("checksum", "head", "link")


class Names:
    """Ids as what they name, so that two runs can be compared: things of one kind in the order in which they were made.

    Levels and ledger lines are named by what they are: unrelated levels may be settled in another order.
    """

    def __init__(self, shop: Shop) -> None:
        self.known: dict[str, str] = {}
        for table in ("location", "product", "lot", "reservation", "receipt", "transfer", "appointment"):
            for index, row in enumerate(shop.rows(f"SELECT id FROM {table} ORDER BY id")):
                self.known[row["id"]] = f"{table} {index}"
        for row in shop.rows("SELECT id, product_id, location_id FROM level"):
            self.known[row["id"]] = f"level of {self.known[row['product_id']]} at {self.known[row['location_id']]}"
        for row in shop.rows("SELECT id, level_id, seq FROM ledger"):
            self.known[row["id"]] = f"line {row['seq']} of {self.known[row['level_id']]}"

    def __call__(self, value: Any) -> str:
        text = msgspec.json.encode(value).decode()
        text = re.sub(r'"catalog_version":\d+', '"catalog_version":0', text)  # counts batches, not changes
        return _ID.sub(lambda match: self.known.get(match.group(), "an id"), text)


def rows_of(shop: Shop, names: Names) -> dict[str, list[str]]:
    """Every row of every table, ids named; what is computed from ids and transactions is left out."""
    found = {}
    for table in TABLES:
        kept = [{k: v for k, v in row.items() if k not in COMPUTED} for row in shop.rows(f"SELECT * FROM {table}")]
        found[table] = sorted(names(row) for row in kept)
    for batch in shop.rows("SELECT payload FROM event_batch ORDER BY id"):
        for event in msgspec.json.decode(batch["payload"]):
            told = names({key: value for key, value in event.items() if key != "id"})
            where = [event["product_id"], event["data"].get("location")]
            found.setdefault(names({"events of": where}), []).append(told)
    return found


@pytest.fixture(autouse=True, scope="module")
def _template(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The database that shops are copied from is made before ids are fixed, or they would come twice."""
    with open_shop(f"sqlite:///{tmp_path_factory.mktemp('template') / 'shop.db'}"):
        pass


@contextmanager
def fixed_ids() -> Iterator[None]:
    """Ids that count up instead of random ones."""
    original = transaction.uuid_utils.uuid7
    count = 0

    def new_id() -> str:
        nonlocal count
        count += 1
        return f"01a00000-0000-7000-8000-{count:012x}"

    transaction.uuid_utils.uuid7 = new_id
    try:
        yield
    finally:
        transaction.uuid_utils.uuid7 = original


class Stand:
    """A shop with some stock, holds and an appointment, and a writer of its own."""

    def __init__(self, shop: Shop, clock: Clock) -> None:
        self.shop = shop
        shop.product("MUG-1", oversell="backorder")
        shop.product("TEE-1")
        self.spare = shop.product("PIN-1").id
        self.side = shop.location("SIDE").id
        self.lot = shop.receive("MUG-1", 5, lot="A", cost="1.37")
        shop.receive("MUG-1", 4, lot="B", cost="0.50", expires_at=clock.now + 30 * SECOND)
        shop.receive("TEE-1", 3, lot="T")
        self.appointment = shop.ok(Book(clock.now)).id
        soon = clock.now + 20 * SECOND
        self.holds = [
            shop.ok(Reserve("MUG-1", 4, "MAIN", Target("1"), expires_at=soon)).id,
            shop.ok(Reserve("MUG-1", 7, "MAIN", Target("2", "shopify"))).id,
            shop.ok(
                Reserve("TEE-1", 2, "MAIN", Target(reserved_for_type="appointment", reserved_for_id=self.appointment))
            ).id,
        ]
        clock.pass_(60 * SECOND)
        self.session = open_batch_session(shop.holdfast.database)
        self.catalogs = WriterCatalogs()

    def run(self, commands: list[tuple[str | None, Command]], size: int) -> list[Any]:
        """Do the commands in batches of `size`; their replies."""
        told = []
        submissions = []
        for key, command in commands:
            future = Told()
            told.append(future)
            submissions.append(
                Submission(
                    self.shop.owner.caller,
                    command,
                    key=key,
                    fingerprint=repr(command)[:64],
                    render=None,
                    status=201,
                    loop=None,
                    future=future,
                )
            )
        for start in range(0, len(submissions), size):
            Batch(self.session, self.catalogs, self.shop.org_id, submissions[start : start + size]).run()
        return [future.outcome for future in told]


def commands_at(stand: Stand) -> st.SearchStrategy[list[tuple[str | None, Command]]]:
    """Commands about what the stand has; some with an Idempotency-Key."""
    sku, place = st.sampled_from(("MUG-1", "TEE-1", "PIN-1", "NEW-1")), st.sampled_from(("MAIN", "EAST", "SIDE"))
    units, order = st.integers(0, 4), st.sampled_from("123")
    source = st.sampled_from(("manual", "shopify"))
    hold = st.sampled_from(stand.holds)
    appointment = Target(reserved_for_type="appointment", reserved_for_id=stand.appointment)
    target = st.one_of(st.builds(Target, order, source), st.just(appointment), st.just(Target()))
    reserve = st.builds(Reserve, sku, units, st.one_of(st.none(), place), target, override=st.booleans())
    part = st.one_of(
        st.builds(Consume, hold, st.one_of(st.none(), units)),
        st.builds(Release, hold, st.one_of(st.none(), units)),
        st.builds(Amend, hold, st.integers(1, 9)),
    )
    catalog = st.sampled_from(
        (
            AddProduct(sku="NEW-1", title="New"),
            ChangeProduct(stand.spare, precision=2),
            ChangeProduct(stand.spare, oversell="backorder"),
            RemoveLocation(stand.side),
            ChangeSettings(allow_override=False),
            ChangeSettings(mode="simple"),
        )
    )
    fact = st.one_of(
        st.builds(lambda at, one, n: Receive(at, (ReceiptLine(one, n, "0.333333", lot_code="A"),)), place, sku, units),
        st.builds(SetStock, sku, place, units),
        st.builds(AdjustStock, sku, place, st.integers(-3, 3)),
        st.builds(UnlistLevel, sku, place),
        st.builds(lambda at, one, n: Count(at, (CountLine(one, n),)), place, sku, units),
        st.builds(lambda one, n: Dispatch("MAIN", "SIDE", (TransferLine(one, n),)), sku, units),
        st.sampled_from(
            (Quarantine(stand.lot), ReleaseFromQuarantine(stand.lot), WriteOff(stand.lot), WriteOff(stand.lot, None, 1))
        ),
    )
    by_name = st.one_of(
        st.builds(ReserveAtLevel, sku, place, units),
        st.builds(ReleaseAtLevel, sku, place, units, st.one_of(st.none(), order)),
        st.builds(ConsumeAtLevel, sku, place, units, st.one_of(st.none(), order)),
        st.builds(lambda number, one, n: OrderReserve(number, "shopify", (OrderLine(one, n),)), order, sku, units),
        st.builds(OrderClose, order, source, st.booleans()),
        st.builds(
            lambda status: ChangeAppointment(stand.appointment, status=status),
            st.sampled_from(("completed", "cancelled")),
        ),
    )
    single = st.one_of(reserve, part, fact, by_name, catalog)
    group = st.builds(
        lambda members, atomic: CommandGroup(tuple(members), atomic), st.lists(single, max_size=3), st.booleans()
    )
    return st.lists(
        st.tuples(st.sampled_from((None, None, "a", "b")), st.one_of(single, single, single, group)), max_size=12
    )


def plain(reply: Any) -> Any:
    """A reply as data."""
    assert not isinstance(reply, BaseException), reply
    if isinstance(reply.answer, Rejected):
        return ["refused", reply.answer.code, reply.answer.numbers]
    if isinstance(reply.answer, list):
        answers = [
            [one.rejected.code, one.rejected.numbers] if isinstance(one, Refusal) else msgspec.to_builtins(one)
            for one in reply.answer
        ]
        return ["group", answers, reply.replayed]
    body = None if reply.body is None else msgspec.json.decode(reply.body)
    return [msgspec.to_builtins(reply.answer), body, reply.status, reply.replayed]


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    print_blob=False,
)
@given(data=st.data(), send_entries=st.sampled_from([1, transaction.SEND_ENTRIES]))
@pytest.mark.slow
def test_a_batch_of_many_is_many_batches_of_one(data: st.DataObject, send_entries: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "SEND_ENTRIES", send_entries)
        _compare(data)


def _compare(data: st.DataObject) -> None:
    results = []
    commands: list[tuple[str | None, Command]] = []
    with tempfile.TemporaryDirectory() as folder, quick_sqlite():
        for size in (1, 1000):
            clock = Clock()
            path = Path(folder) / f"{size}.db"
            with fixed_ids(), clock.running(), open_shop(f"sqlite:///{path}") as shop:
                stand = Stand(shop, clock)
                if size == 1:
                    commands = data.draw(commands_at(stand))
                replies = stand.run(commands, size)
                names = Names(shop)
                results.append(([names(plain(reply)) for reply in replies], rows_of(shop, names)))
                assert untruths(shop) == []
                stand.session.close()
    for one, many in zip(*(result[0] for result in results), strict=True):
        assert one == many
    assert results[0][1].keys() == results[1][1].keys()
    for table, rows in results[0][1].items():
        assert (table, rows) == (table, results[1][1][table])


def test_the_property_would_notice_a_difference(tmp_path: Path) -> None:
    """Two runs that differ by one unit do not look the same."""
    seen = []
    for units in (1, 2):
        clock = Clock()
        with quick_sqlite(), fixed_ids(), clock.running(), open_shop(f"sqlite:///{tmp_path / str(units)}.db") as shop:
            stand = Stand(shop, clock)
            stand.run([(None, Reserve("TEE-1", 1, "MAIN", Target("9"))), (None, SetStock("PIN-1", "EAST", units))], 9)
            seen.append(rows_of(shop, Names(shop)))
            stand.session.close()
    differ = {table for table in seen[0] if seen[0][table] != seen[1][table]}
    assert differ == {
        "level",
        "lot_stock",
        "ledger",
        *(f'{{"events of":["product 2",{place}]}}' for place in ('"EAST"', "null")),
    }


def test_an_organisation_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        session = open_batch_session(Database(shop.holdfast.database.url))
        future = Told()
        submission = Submission(
            shop.owner.caller, Book(0), key=None, fingerprint="", render=None, status=200, loop=None, future=future
        )
        Batch(session, WriterCatalogs(), "01a00000-0000-7000-8000-000000000000", [submission]).run()
        session.close()
    assert type(future.outcome).__name__ == "NoOrganisation"
