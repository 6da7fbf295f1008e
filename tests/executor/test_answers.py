"""What a caller hears: kept answers, refusals, full queues, failing batches, commits that nobody answered."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from msgspec.structs import replace

import holdfast.executor.batch
import holdfast.executor.transaction
from holdfast.app import Forbidden, Holdfast
from holdfast.core.decide import CommandGroup
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.records.rejection import Code, Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db import failures
from holdfast.db.batch import session as sessions
from holdfast.db.batch.load import WriterCatalogs
from holdfast.db.engine import Database
from holdfast.executor import Batch, Overloaded, Reply, Submission, Unavailable
from holdfast.organisation import establish
from tests.shop import SECOND, Clock, Shop, open_shop, quick_sqlite, shop_in


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Failures on purpose are not told."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


def reserve(order: str, units: int = 1) -> Reserve:
    return Reserve("MUG-1", units, "MAIN", Target(order))


def render(answer: Any) -> bytes:
    return msgspec.json.encode({"order": answer.order_number})


def level(shop: Shop) -> tuple[int, int, int]:
    row = shop.rows("SELECT on_hand, reserved, backordered FROM level ORDER BY id")[0]
    return row["on_hand"], row["reserved"], row["backordered"]


# Kept answers --------------------------------------------------------------------------------------------------------


def test_the_same_key_gives_the_first_answer_again(shop_anywhere: Shop) -> None:
    shop = shop_anywhere
    shop.product("MUG-1")
    shop.receive(quantity=5)
    options: dict[str, Any] = {"key": "k", "fingerprint": "f", "render": render, "status": 201}
    first = shop.holdfast.do(shop.owner, reserve("102"), **options)
    again = shop.holdfast.do(shop.owner, reserve("102"), **options)
    assert (first.status, first.body, first.replayed) == (201, b'{"order":"102"}', False)
    assert (again.answer, again.status, again.body, again.replayed) == (None, 201, b'{"order":"102"}', True)
    assert level(shop) == (5, 1, 0)


def test_a_key_of_another_request_is_refused(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=5)
    shop.ok(reserve("102"), key="k", fingerprint="f")
    assert shop.refused(reserve("103"), key="k", fingerprint="g").code is Code.IDEMPOTENCY_KEY_REUSED
    assert level(shop) == (5, 1, 0)


def test_a_refusal_is_decided_anew(shop: Shop) -> None:
    shop.product("MUG-1")
    assert shop.refused(reserve("102"), key="k", fingerprint="f").code is Code.INSUFFICIENT_STOCK
    assert shop.rows("SELECT key FROM answered") == []
    shop.receive(quantity=1)
    shop.ok(reserve("102"), key="k", fingerprint="f")


def test_a_kept_answer_outlives_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with quick_sqlite():
        with open_shop(url) as shop:
            shop.product("MUG-1")
            shop.receive(quantity=5)
            shop.holdfast.do(shop.owner, reserve("102"), key="k", fingerprint="f", render=render, status=201)
            facts = {"org_id": shop.org_id, "stores": shop.stores, "api_key": shop.api_key}
        with shop_in(url, facts) as shop:
            again = shop.holdfast.do(shop.owner, reserve("102"), key="k", fingerprint="f", render=render, status=201)
            assert (again.replayed, again.body, level(shop)) == (True, b'{"order":"102"}', (5, 1, 0))


def test_the_same_key_twice_in_one_batch_is_done_once(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=5)
    with stopped(shop.holdfast) as go:
        futures = [
            shop.holdfast.submit(shop.owner, reserve("102"), key="k", fingerprint=fingerprint, status=201)
            for fingerprint in "ffg"
        ]
        go.set()
        first, again, other = (future.result(10) for future in futures)
    assert (first.replayed, again.replayed) == (False, True)
    assert msgspec.json.decode(again.body) == msgspec.to_builtins(first.answer)
    assert isinstance(other.answer, Rejected) and other.answer.code is Code.IDEMPOTENCY_KEY_REUSED
    assert level(shop) == (5, 1, 0)


def test_a_group_is_kept_as_one_answer(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=5)
    group = CommandGroup((reserve("102"), reserve("103")))
    shop.ok(group, key="k", fingerprint="f")
    again = shop.holdfast.do(shop.owner, group, key="k", fingerprint="f")
    assert [one["order_number"] for one in msgspec.json.decode(again.body)] == ["102", "103"]
    assert level(shop) == (5, 2, 0)


def test_keys_belong_to_an_organisation(tmp_path: Path, clock: Clock) -> None:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        other = establish(shop.holdfast.database, "Other", "o@other.example", password="correct horse")
        shop.product("MUG-1")
        shop.receive(quantity=1)
        shop.ok(reserve("102"), key="k", fingerprint="f")
        answer = shop.holdfast.do(other.actor, reserve("102"), key="k", fingerprint="f").answer
        assert answer.code is Code.PRODUCT_NOT_FOUND


# Time ----------------------------------------------------------------------------------------------------------------


def test_what_time_has_settled_is_kept_although_the_command_is_refused(shop: Shop, clock: Clock) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=2)
    shop.receive(quantity=2, expires_at=clock.now + 30 * SECOND)
    shop.ok(Reserve("MUG-1", 2, "MAIN", Target("102"), expires_at=clock.now + 20 * SECOND))
    clock.pass_(60 * SECOND)
    assert shop.refused(reserve("103", 3), key="k", fingerprint="f").numbers["available"] == 2
    assert level(shop) == (2, 0, 0)
    assert [row["status"] for row in shop.rows("SELECT status FROM reservation")] == ["released"]


def test_a_refusal_writes_nothing(shop: Shop) -> None:
    shop.product("MUG-1")
    before = shop.rows("SELECT count(*) AS n FROM event_batch")
    shop.refused(reserve("102"))
    assert shop.rows("SELECT count(*) AS n FROM event_batch") == before


def test_a_change_of_nothing_but_a_lot_is_kept(shop: Shop) -> None:
    shop.product("MUG-1")
    lot = shop.receive(quantity=2)
    shop.ok(SetStock("MUG-1", "MAIN", 0))
    shop.ok(Quarantine(lot))
    assert shop.rows("SELECT status FROM lot") == [{"status": "quarantined"}]


# Neighbours ----------------------------------------------------------------------------------------------------------


def test_a_poisoned_command_costs_only_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=1000)
    original = holdfast.executor.transaction.decide

    def decide(stock: Any, caller: Any, command: Any) -> Any:
        answer = original(stock, caller, command)
        if isinstance(command, Reserve) and command.target.order_number in ("13", "77", "200"):
            raise ZeroDivisionError(command.target.order_number)
        return answer

    monkeypatch.setattr(holdfast.executor.transaction, "decide", decide)
    with stopped(shop.holdfast) as go:
        futures = {str(n): shop.holdfast.submit(shop.owner, reserve(str(n))) for n in range(300)}
        go.set()
        outcomes = {order: future.exception(30) for order, future in futures.items()}
    failed = {order for order, error in outcomes.items() if error is not None}
    assert failed == {"13", "77", "200"}
    assert all(isinstance(outcomes[order], ZeroDivisionError) for order in failed)
    assert level(shop) == (1000, 297, 0)


def test_a_batch_that_fails_as_a_whole_is_split_until_only_the_cause_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written (here: a name that the database refuses) is found by halves."""
    shop.product("MUG-1")
    shop.receive(quantity=1000)
    original = sessions.SqliteBatchSession.finish

    def finish(self: Any, writes: Any, **options: Any) -> bool:
        if any("poison" in repr(write.parameters) for write in writes):
            raise ValueError("cannot be written")
        return original(self, writes, **options)

    monkeypatch.setattr(sessions.SqliteBatchSession, "finish", finish)
    with stopped(shop.holdfast) as go:
        orders = [f"{n}" if n != 41 else "poison" for n in range(100)]
        futures = [shop.holdfast.submit(shop.owner, reserve(order)) for order in orders]
        go.set()
        errors = [future.exception(30) for future in futures]
    assert [order for order, error in zip(orders, errors, strict=True) if error] == ["poison"]
    assert level(shop) == (1000, 99, 0)


def test_a_command_may_be_refused_by_permission_before_it_waits(shop: Shop) -> None:
    shop.product("MUG-1")
    with pytest.raises(Forbidden):
        shop.do(Receive("MAIN", (ReceiptLine("MUG-1", 1),)), actor=shop.cashier)
    with pytest.raises(Forbidden):
        shop.do(ChangeSettings(name="x"), actor=shop.manager)


# Full queues ---------------------------------------------------------------------------------------------------------


@contextmanager
def stopped(opened: Holdfast) -> Iterator[threading.Event]:
    """The writers wait until the event is set, so that what is submitted meanwhile is one batch."""
    go = threading.Event()
    executor = opened.executor
    original = executor._run_batch
    first = threading.Event()

    def serve(*arguments: Any) -> None:
        first.set()
        assert go.wait(30)
        original(*arguments)

    executor._run_batch = serve  # type: ignore[method-assign] # a test seam
    blocker = opened.executor
    try:
        yield go
    finally:
        go.set()
        blocker._run_batch = original  # type: ignore[method-assign] # as it was


def full(shop: Shop, count: int) -> list[Any]:
    """Submit until it is refused or `count` are accepted."""
    accepted = []
    for n in range(count):
        try:
            accepted.append(shop.holdfast.submit(shop.owner, reserve(f"o{n}")))
        except Overloaded:
            break
    return accepted


def test_a_full_queue_turns_callers_away_with_nothing_done(tmp_path: Path) -> None:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}", queue_max=10, batch_max=4) as shop:
        shop.product("MUG-1")
        shop.receive(quantity=100)
        with stopped(shop.holdfast) as go:
            accepted = full(shop, 100)
            with pytest.raises(Overloaded) as refused:
                shop.holdfast.submit(shop.owner, reserve("late"))
            assert refused.value.retry_after >= 1
            go.set()
            replies = [future.result(10) for future in accepted]
        assert 10 <= len(accepted) <= 14
        assert all(isinstance(reply, Reply) and not isinstance(reply.answer, Rejected) for reply in replies)
        assert level(shop) == (100, len(accepted), 0)


def test_a_group_fills_the_queue_by_its_members(tmp_path: Path) -> None:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}", queue_max=10) as shop:
        shop.product("MUG-1")
        shop.receive(quantity=100)
        with stopped(shop.holdfast) as go:
            blocker = shop.holdfast.submit(shop.owner, reserve("first"))
            time.sleep(0.05)
            group = shop.holdfast.submit(shop.owner, CommandGroup(tuple(reserve(f"g{n}") for n in range(10))))
            with pytest.raises(Overloaded):
                shop.holdfast.submit(shop.owner, reserve("late"))
            go.set()
            blocker.result(10)
            assert len(group.result(10).answer) == 10


def test_one_caller_with_groups_leaves_room_for_the_others(tmp_path: Path) -> None:
    """Half of the queue is theirs; a neighbour of the same organisation, and another organisation, go on."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}", queue_max=20) as shop:
        shop.product("MUG-1")
        shop.receive(quantity=100)
        greedy = replace(shop.owner, id="greedy")
        group = CommandGroup(tuple(reserve(f"g{n}") for n in range(5)), atomic=False)
        with stopped(shop.holdfast) as go:
            first = shop.holdfast.submit(shop.owner, reserve("first"))
            time.sleep(0.05)
            taken = [shop.holdfast.submit(greedy, group) for _ in range(2)]
            with pytest.raises(Overloaded):
                shop.holdfast.submit(greedy, group)
            taken.append(shop.holdfast.submit(greedy, reserve("alone")))
            taken.append(shop.holdfast.submit(replace(shop.owner, id="modest"), group))
            go.set()
            assert [type(future.result(10)) for future in (first, *taken)] == [Reply] * 5
        assert not shop.holdfast.executor._weights


def test_one_organisation_does_not_fill_the_queue_of_another(tmp_path: Path) -> None:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}", queue_max=10) as shop:
        shop.product("MUG-1")
        made = establish(shop.holdfast.database, "Other", "o@other.example", password="correct horse")
        other = replace(shop.owner, org_id=made.org_id)
        with stopped(shop.holdfast) as go:
            first = shop.holdfast.submit(shop.owner, reserve("first"))
            time.sleep(0.05)
            taken = full(shop, 100)
            theirs = shop.holdfast.submit(other, AddProduct("CUP-1"))
            go.set()
            assert isinstance(theirs.result(10), Reply)
            for future in (first, *taken):
                future.result(10)


def test_who_waited_too_long_is_turned_away_undone(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=100)
    shop.holdfast.executor._queue_age = 0.1
    with stopped(shop.holdfast) as go:
        futures = [shop.holdfast.submit(shop.owner, reserve(str(n))) for n in range(5)]
        time.sleep(0.2)
        go.set()
        errors = [future.exception(10) for future in futures]
    assert all(isinstance(error, Overloaded) for error in errors)
    assert level(shop) == (100, 0, 0)
    shop.ok(reserve("in time"))


def test_close_answers_what_was_accepted_and_takes_no_more(tmp_path: Path) -> None:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}", batch_max=16) as shop:
        shop.product("MUG-1")
        shop.receive(quantity=1000)
        futures = [shop.holdfast.submit(shop.owner, reserve(str(n))) for n in range(400)]
        shop.holdfast.executor.close()
        assert all(future.done() for future in futures)
        assert not any(isinstance(future.result().answer, Rejected) for future in futures)
        assert level(shop) == (1000, 400, 0)
        with pytest.raises(Unavailable):
            shop.holdfast.submit(shop.owner, reserve("late"))


# Commits that nobody answered ----------------------------------------------------------------------------------------


def lose_answers(shop: Shop, monkeypatch: pytest.MonkeyPatch, *, after: bool, times: int = 1) -> list[int]:
    """The next commits lose their answer, after or before they went through; a list that counts them."""
    monkeypatch.setattr(holdfast.executor.batch, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(holdfast.executor.batch, "AWAY_PAUSE_SECONDS", 0.001)
    kind: Any = sessions.SqliteBatchSession if shop.holdfast.database.is_sqlite else sessions.PostgresBatchSession
    original = kind.finish
    lost: list[int] = []

    def finish(self: Any, writes: Any, **options: Any) -> bool:
        if len(lost) >= times:
            return bool(original(self, writes, **options))
        lost.append(1)
        if after:
            original(self, writes, **options)
        raise failures.Lost("the line went dead")

    monkeypatch.setattr(kind, "finish", finish)
    return lost


@pytest.mark.parametrize("times", [1, 3])
def test_a_commit_that_went_through_unheard_is_not_done_again(
    shop_anywhere: Shop, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    shop = shop_anywhere
    shop.product("MUG-1")
    shop.receive(quantity=10)
    lost = lose_answers(shop, monkeypatch, after=True, times=times)
    assert shop.ok(reserve("102", 3)).order_number == "102"
    assert level(shop) == (10, 3, 0)
    assert (len(shop.rows("SELECT id FROM reservation")), len(lost)) == (1, 1)


@pytest.mark.parametrize("times", [1, 3])
def test_a_commit_that_did_not_go_through_is_done_once_or_told(
    shop_anywhere: Shop, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """PostgreSQL: tried again under the same id. SQLite answers for itself, so it is told that nothing was done."""
    shop = shop_anywhere
    shop.product("MUG-1")
    shop.receive(quantity=10)
    with monkeypatch.context() as lost:
        lose_answers(shop, lost, after=False, times=times)
        if shop.holdfast.database.is_sqlite:
            with pytest.raises(Unavailable):
                shop.do(reserve("102", 3), key="k", fingerprint="f")
            assert level(shop) == (10, 0, 0)
        else:
            shop.ok(reserve("102", 3), key="k", fingerprint="f")
            assert level(shop) == (10, 3, 0)
    shop.holdfast.do(shop.owner, reserve("102", 3), key="k", fingerprint="f")
    assert level(shop) == (10, 3, 0)
    assert len(shop.rows("SELECT id FROM reservation")) == 1


def test_what_a_lost_transaction_had_no_room_for_is_done_after_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit arrives late, when the next try has begun and met a conflict: the rest is of the one that was lost."""
    with open_shop(postgres_url) as shop:
        shop.product("MUG-1")
        shop.receive(quantity=10)
        lose_answers(shop, monkeypatch, after=True)
        monkeypatch.setattr(holdfast.executor.transaction, "ENTRIES_MAX", 1)
        looks: list[int] = []
        found, decided = holdfast.executor.batch.is_written, holdfast.executor.transaction.decide

        def is_written(*asked: Any) -> bool:
            looks.append(1)
            return len(looks) > 1 and bool(found(*asked))

        def decide(*asked: Any) -> Any:
            if len(looks) == 1:
                raise failures.Conflict("another came first")
            return decided(*asked)

        monkeypatch.setattr(holdfast.executor.batch, "is_written", is_written)
        monkeypatch.setattr(holdfast.executor.transaction, "decide", decide)
        heard: list[Future[Reply]] = [Future(), Future()]
        kept = {"key": None, "fingerprint": "", "render": None, "status": 201, "loop": None}
        submissions = [
            Submission(shop.owner.caller, reserve(number), future=one, **kept)
            for number, one in zip(("101", "102"), heard, strict=True)
        ]
        with contextlib.closing(sessions.open_batch_session(shop.holdfast.database)) as session:
            Batch(session, WriterCatalogs(), shop.org_id, submissions).run()
        assert [one.done() for one in heard] == [True, True]
        assert (len(looks), level(shop)) == (2, (10, 2, 0))


def test_the_answer_of_a_lost_commit_is_the_one_that_is_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=10)
    lose_answers(shop, monkeypatch, after=True)
    first = shop.holdfast.do(shop.owner, reserve("102"), key="k", fingerprint="f")
    again = shop.holdfast.do(shop.owner, reserve("102"), key="k", fingerprint="f")
    assert again.replayed and msgspec.json.decode(again.body)["id"] == first.answer.id
    assert level(shop) == (10, 1, 0)


def test_a_database_that_is_away_is_told_and_nothing_is_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=10)
    monkeypatch.setattr(holdfast.executor.batch, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(holdfast.executor.batch, "AWAY_PAUSE_SECONDS", 0.001)

    def begin(*_: Any, **__: Any) -> Any:
        raise failures.Away("nobody home")

    with monkeypatch.context() as away:
        away.setattr(sessions.SqliteBatchSession, "begin", begin)
        with pytest.raises(Unavailable) as told:
            shop.do(reserve("102"))
        assert told.value.retry_after >= 1
    shop.ok(reserve("103"))
    assert level(shop) == (10, 1, 0)


def test_a_conflict_is_tried_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.product("MUG-1")
    shop.receive(quantity=10)
    monkeypatch.setattr(holdfast.executor.batch, "FIRST_PAUSE_SECONDS", 0.001)
    original = sessions.SqliteBatchSession.finish
    tries: list[int] = []

    def finish(self: Any, writes: Any, **options: Any) -> bool:
        tries.append(1)
        if len(tries) < 4:
            raise failures.Conflict("another came first")
        return original(self, writes, **options)

    monkeypatch.setattr(sessions.SqliteBatchSession, "finish", finish)
    shop.ok(reserve("102"))
    assert (len(tries), level(shop)) == (4, (10, 1, 0))


def test_two_shops_on_one_database_see_each_other(tmp_path: Path) -> None:
    """A second process knows what the first one wrote, its catalog included."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with quick_sqlite(), open_shop(url) as shop:
        facts = {"org_id": shop.org_id, "stores": shop.stores, "api_key": shop.api_key}
        other = Shop(Holdfast(Database(url)), **facts)
        assert other.refused(reserve("1")).code is Code.PRODUCT_NOT_FOUND
        shop.product("MUG-1")
        shop.receive(quantity=1)
        other.ok(reserve("1"))
        assert shop.refused(reserve("2")).code is Code.INSUFFICIENT_STOCK
        shop.ok(ChangeProduct(shop.rows("SELECT id FROM product")[0]["id"], oversell="backorder"))
        other.ok(reserve("3"))
        other.holdfast.close()
