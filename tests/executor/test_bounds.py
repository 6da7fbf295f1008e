"""One transaction has bounds: rounds of questions, ledger entries, expired holds. Who exceeds one is told so alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

import holdfast.core.decide
import holdfast.executor.batch
import holdfast.executor.transaction
import holdfast.sweeper
from holdfast.core.decide import CommandGroup, Sweep
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.wants import LevelAt, LotById, Missing
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.db.batch.load import WriterCatalogs
from holdfast.db.batch.session import EXPIRED_FIRST, open_batch_session
from holdfast.executor.submission import Reply, Submission, Unavailable
from holdfast.executor.transaction import BEGINNINGS_MAX, ENTRIES_MAX, TooManyRounds
from tests.executor.test_batches import Told
from tests.shapes.measuring import CountingSession
from tests.shop import SECOND, Clock, Shop


def run(shop: Shop, commands: list[Any], session: Any = None) -> list[Any]:
    """Give the commands as one batch; their outcomes."""
    session = session or open_batch_session(shop.holdfast.database)
    told = [Told() for _ in commands]
    submissions = [
        Submission(
            shop.owner.caller, command, key=None, fingerprint="", render=None, status=201, loop=None, future=future
        )
        for command, future in zip(commands, told, strict=True)
    ]
    holdfast.executor.batch.Batch(session, WriterCatalogs(), shop.org_id, submissions).run()
    session.close()
    return [future.outcome for future in told]


def asks_for_ever(monkeypatch: pytest.MonkeyPatch, want: Any) -> None:
    """The order "poison" asks for something else each time it is decided."""
    original = holdfast.executor.transaction.decide

    def decide(stock: Any, caller: Any, command: Any) -> Any:
        if isinstance(command, Reserve) and command.target.order_number == "poison":
            raise Missing((want(stock.new_id()),))
        return original(stock, caller, command)

    monkeypatch.setattr(holdfast.executor.transaction, "decide", decide)


@pytest.mark.parametrize("want", [lambda name: LevelAt(name, name), LotById], ids=["levels", "lots"])
def test_a_command_that_asks_for_ever_is_told_so_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch, want: Any) -> None:
    """No pause, no second try, and its neighbours go on in the same transaction."""
    shop.product("MUG-1")
    shop.receive(quantity=10)
    asks_for_ever(monkeypatch, want)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("nobody rests for a defect"))
    counted = CountingSession(open_batch_session(shop.holdfast.database))
    orders = ["1", "2", "poison", "3"]
    outcomes = run(shop, [Reserve("MUG-1", 1, "MAIN", Target(order)) for order in orders], counted)
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [True, True, False, True]
    assert isinstance(outcomes[2], TooManyRounds)
    assert counted.rounds <= BEGINNINGS_MAX + 1
    assert shop.rows("SELECT reserved FROM level WHERE on_hand = 10") == [{"reserved": 3}]


def test_a_transaction_takes_no_further_command_after_its_bound(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of the batch goes into the next transaction; everybody is answered, in order."""
    shop.product("MUG-1")
    shop.receive(quantity=100)
    monkeypatch.setattr(holdfast.executor.transaction, "ENTRIES_MAX", 10)
    before = shop.rows("SELECT count(*) AS n FROM event_batch")[0]["n"]
    outcomes = run(shop, [Reserve("MUG-1", 1, "MAIN", Target(str(order))) for order in range(45)])
    assert [outcome.answer.order_number for outcome in outcomes] == [str(order) for order in range(45)]
    assert shop.rows("SELECT count(*) AS n FROM event_batch")[0]["n"] == before + 5
    assert ENTRIES_MAX > 10


def test_a_command_may_not_write_more_than_a_transaction_may(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused in words, with nothing done; a smaller one is accepted."""
    shop.product("MUG-1")
    shop.receive(quantity=100)
    shop.ok(CommandGroup(tuple(Reserve("MUG-1", 1, "MAIN", Target(str(order))) for order in range(60))))
    monkeypatch.setattr(holdfast.core.decide, "COMMAND_ENTRIES_MAX", 50)
    refused = shop.refused(SetStock("MUG-1", "MAIN", 0))
    assert refused.code == "INVALID_STATE"
    assert "do it in parts" in refused.detail
    assert shop.rows("SELECT on_hand, reserved FROM level WHERE on_hand > 0") == [{"on_hand": 100, "reserved": 60}]
    shop.ok(SetStock("MUG-1", "MAIN", 50))
    group = shop.refused(CommandGroup(tuple(Reserve("MUG-1", 1, target=Target("g"), override=True) for _ in range(60))))
    assert group.code == "INVALID_STATE"


def dead_holds(shop: Shop, clock: Clock, number: int) -> tuple[str, str]:
    """A level all of whose units are held by holds that have just expired: its key."""
    product = shop.product("MUG-1")
    shop.receive(quantity=number)
    for start in range(0, number, 1000):
        holds = (
            Reserve("MUG-1", 1, "MAIN", Target(str(order)), expires_at=clock.now + SECOND)
            for order in range(start, min(start + 1000, number))
        )
        shop.ok(CommandGroup(tuple(holds)))
    clock.pass_(2 * SECOND)
    place = shop.rows("SELECT location_id FROM level WHERE on_hand > 0")[0]["location_id"]
    return product.id, str(place)


def test_a_sweep_releases_a_bounded_number_at_once(shop: Shop, clock: Clock) -> None:
    """It says that there is more, and the next one goes on; nothing else is in its way meanwhile."""
    pair = dead_holds(shop, clock, EXPIRED_FIRST * 2 + 5)
    left = []
    while shop.do(Sweep((pair,))):
        left.append(shop.rows("SELECT reserved FROM level WHERE on_hand > 0")[0]["reserved"])
    assert left == [EXPIRED_FIRST + 5, 5]
    assert shop.rows("SELECT reserved FROM level WHERE on_hand > 0") == [{"reserved": 0}]


def test_a_sweep_of_everything_comes_in_pieces(shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    dead_holds(shop, clock, EXPIRED_FIRST * 2 + 5)
    before = shop.rows("SELECT count(*) AS n FROM event_batch")[0]["n"]
    monkeypatch.setattr(holdfast.sweeper, "time", clock)
    shop.holdfast.sweep()
    largest = shop.rows("SELECT max(size) AS n FROM event_batch")[0]["n"]
    assert shop.rows("SELECT reserved FROM level WHERE on_hand > 0") == [{"reserved": 0}]
    assert shop.rows("SELECT count(*) AS n FROM event_batch")[0]["n"] >= before + 3
    assert largest <= max(EXPIRED_FIRST, 1000)


@pytest.mark.parametrize("units", [1, EXPIRED_FIRST + 1, EXPIRED_FIRST * 2])
def test_expired_holds_that_are_not_released_yet_stand_in_nobodys_way(shop: Shop, clock: Clock, units: int) -> None:
    dead_holds(shop, clock, EXPIRED_FIRST * 2)
    assert shop.ok(Reserve("MUG-1", units, target=Target("new"))).allocated_quantity == units


def test_a_fact_takes_from_expired_holds_first(shop: Shop, clock: Clock) -> None:
    """A count below what expired holds have shorts nobody who is still promised something."""
    pair = dead_holds(shop, clock, EXPIRED_FIRST * 2)
    assert pair
    shop.receive(quantity=10)
    shop.ok(Reserve("MUG-1", 10, "MAIN", Target("alive")))
    shop.ok(SetStock("MUG-1", "MAIN", 10))
    assert shop.rows("SELECT backordered FROM reservation WHERE order_number = 'alive'") == [{"backordered": 0}]


def test_too_many_expired_holds_at_once_are_told_as_such(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was released on the way is kept, so that whoever comes again gets further."""
    monkeypatch.setattr(holdfast.executor.transaction, "EXPIRED_QUESTIONS_MAX", 0)
    dead_holds(shop, clock, EXPIRED_FIRST * 3)
    (outcome,) = run(shop, [Reserve("MUG-1", EXPIRED_FIRST * 3, target=Target("all"))])
    assert isinstance(outcome, Unavailable)
    assert "expired holds" in str(outcome)
    reserved = shop.rows("SELECT reserved FROM level WHERE on_hand > 0")[0]["reserved"]
    assert reserved < EXPIRED_FIRST * 3
    for _ in range(3):
        (outcome,) = run(shop, [Reserve("MUG-1", EXPIRED_FIRST * 3, target=Target("all"))])
        if isinstance(outcome, Reply):
            break
    assert not isinstance(outcome.answer, Rejected)
