"""The clock of the machine steps back and forth while clients buy, pay, return and count; nothing is lost by it.

On SQLite a batch takes its time from the process, so the test moves that clock, by hours and days, between any two
commands and also while many of them are under way.
"""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from holdfast.check import check
from holdfast.core.decide import Sweep
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from tests.shop import DAY, SECOND, Clock, Shop, open_shop, quick_sqlite
from tests.truth import assert_truth

STEPS = (-400 * DAY, -DAY, -3600 * SECOND, -1, 0, 1, SECOND, 61 * SECOND, 3600 * SECOND, DAY, 30 * DAY)


def act(shop: Shop, clock: Clock, chance: random.Random, holds: list[str]) -> None:
    """One command of a shop at work, at whatever time the clock says."""
    order = str(chance.random())
    ends = None if chance.random() < 0.5 else clock.now + chance.choice((1, SECOND, DAY))
    kind = chance.randrange(6)
    answer: Any = None
    if kind < 2 or not holds:
        answer = shop.do(Reserve("MUG-1", chance.randint(1, 3), "MAIN", Target(order), expires_at=ends))
        if not isinstance(answer, Rejected):
            holds.append(answer.id)
    elif kind == 2:
        shop.do(Consume(chance.choice(holds)))
    elif kind == 3:
        shop.do(Release(chance.choice(holds)))
    elif kind == 4:
        shop.do(AdjustStock("MUG-1", "MAIN", chance.choice((-1, 1, 5))))
    else:
        shop.do(SetStock("MUG-1", "MAIN", chance.randint(5, 30)))


def assert_time_runs_forward(shop: Shop) -> None:
    """In every level each entry is at or after the one before it, and they are numbered without a gap."""
    last: dict[str, tuple[int, int]] = {}
    for entry in shop.rows("SELECT level_id, seq, created_at FROM ledger ORDER BY level_id, seq"):
        seq, at = last.get(entry["level_id"], (0, 0))
        assert entry["seq"] == seq + 1
        assert entry["created_at"] >= at, entry
        last[entry["level_id"]] = entry["seq"], entry["created_at"]
    assert last


@pytest.mark.parametrize("seed", range(4))
def test_between_any_two_commands(tmp_path: Path, seed: int) -> None:
    chance, clock, holds = random.Random(seed), Clock(), []
    with quick_sqlite(), clock.running(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        product = shop.product("MUG-1", oversell="backorder")
        shop.receive(quantity=20, cost="1.00")
        place = shop.rows("SELECT location_id FROM level")[0]["location_id"]
        for _ in range(120):
            clock.now += chance.choice(STEPS)
            act(shop, clock, chance, holds)
            if chance.random() < 0.1:
                shop.do(Sweep(((product.id, str(place)),)))
        assert_time_runs_forward(shop)
        assert_truth(shop)
        assert check(shop.holdfast.database).ok


def test_while_many_commands_are_under_way(tmp_path: Path) -> None:
    clock, holds, stop = Clock(), [], threading.Event()
    with quick_sqlite(), clock.running(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        shop.product("MUG-1", oversell="backorder")
        shop.receive(quantity=20, cost="1.00")
        ready = threading.Barrier(5)

        def buyer(seed: int) -> None:
            chance = random.Random(seed)
            ready.wait()
            for _ in range(60):
                act(shop, clock, chance, holds)

        def stepper() -> None:
            chance = random.Random(99)
            ready.wait()
            while not stop.is_set():
                clock.now += chance.choice(STEPS)
                stop.wait(0.001)

        buyers = [threading.Thread(target=buyer, args=(seed,)) for seed in range(4)]
        steps = threading.Thread(target=stepper)
        for thread in (*buyers, steps):
            thread.start()
        for thread in buyers:
            thread.join(120)
        stop.set()
        steps.join()
        assert_time_runs_forward(shop)
        assert_truth(shop)
        assert check(shop.holdfast.database).ok
