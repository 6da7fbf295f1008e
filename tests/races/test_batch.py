"""One batch, many strangers: a bug or a caller that goes away costs nobody but itself."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any

import pytest

from holdfast.core import decide
from holdfast.core.reservations.reserve import Reserve
from holdfast.executor import Reply, Submission
from tests.races.stand import (
    ANSWER_SECONDS,
    Tally,
    assert_books,
    at_once,
    buy,
    do,
    found,
    open_shop,
    outcome_of,
    refused,
    stock_up,
)


class Bug(Exception):
    """What a decision with a mistake in it might raise."""


@pytest.fixture
def poison(monkeypatch):
    """Orders whose number begins with `bad` make the decision of a Reserve raise, after it did its work."""
    real = decide._DECISIONS[Reserve]

    def reserve(stock, command):
        hold = real(stock, command)
        if (command.target.order_number or "").startswith("bad"):
            raise Bug(command.target.order_number)
        return hold

    monkeypatch.setitem(decide._DECISIONS, Reserve, reserve)


@pytest.mark.parametrize("bad", [1, 7, 40])
def test_poisoned_commands_in_a_full_batch_fail_alone(database_url, poison, bad):
    """Of 200 commands in flight some raise; every other one is done, exactly once, and the poisoned leave no trace."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 500)
        every = 200 // bad
        names = [f"bad-{n}" if n % every == every // 2 and n // every < bad else f"o-{n}" for n in range(200)]
        assert sum(name.startswith("bad") for name in names) == bad

        futures = [shop.submit(actor, buy("MUG-1", name), key=name, fingerprint="f") for name in names]
        outcomes = {name: outcome_of(future) for name, future in zip(names, futures, strict=True)}

        for name, one in outcomes.items():
            if name.startswith("bad"):
                assert isinstance(one, Bug), f"{name}: {one!r}"
            else:
                assert isinstance(one, Reply), f"{name} was sunk by its neighbour: {one!r}"
        books = assert_books(shop, actor)
        assert books.orders() == {name: 1 for name in names if name.startswith("o-")}
        assert {row["key"] for row in books.keys} == {name for name in names if name.startswith("o-")}


def test_an_answer_that_cannot_be_rendered_fails_alone_and_undone(database_url):
    """Rendering happens inside the transaction, so that the body can be kept: it may not sink others either."""

    def broken(_answer: Any) -> bytes:
        raise Bug("no body")

    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 500)
        futures = [
            shop.submit(actor, buy("MUG-1", f"o-{n}"), render=broken if n % 20 == 3 else None) for n in range(200)
        ]

        outcomes = [outcome_of(future) for future in futures]

        assert [isinstance(one, Bug) for one in outcomes] == [n % 20 == 3 for n in range(200)]
        assert assert_books(shop, actor).orders() == {f"o-{n}": 1 for n in range(200) if n % 20 != 3}


def test_callers_that_go_away_hurt_nobody(database_url):
    """Half of the futures are cancelled while their commands wait or are being done; the others are answered."""
    with open_shop(database_url, batch_max=30) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 500)
        answered: dict[str, Any] = {}

        def customer(first: int) -> None:
            futures = {n: shop.submit(actor, buy("MUG-1", f"o-{n}")) for n in range(first, 400, 8)}
            for n, future in futures.items():
                if n % 2:
                    future.cancel()
            for n, future in futures.items():
                try:
                    answered[f"o-{n}"] = future.result(ANSWER_SECONDS)
                except CancelledError:
                    assert n % 2, f"o-{n} was not cancelled by anybody"

        at_once([lambda first=first: customer(first) for first in range(8)])

        assert do(shop, actor, buy("MUG-1", "after")).quantity == 1
        orders = assert_books(shop, actor).orders()
        assert set(orders.values()) == {1}
        assert {f"o-{n}" for n in range(0, 400, 2)} <= set(answered) <= set(orders)


class GoneInBetween(Future[Reply]):
    """A future whose owner cancels it at the worst moment: after somebody saw that it is not done yet."""

    def done(self) -> bool:
        was_done = super().done()
        self.cancel()
        return was_done

    def set_result(self, result: Reply) -> None:
        self.cancel()
        super().set_result(result)


def test_a_caller_that_goes_away_between_commit_and_answer_does_not_repeat_the_batch(database_url):
    """The answer finds its future cancelled just now; the committed batch must not be done a second time."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 500)
        gone = GoneInBetween()

        def submission(order: str, future: Future[Reply]) -> Submission:
            command = buy("MUG-1", order)
            return Submission(
                actor.caller, command, key=None, fingerprint="", render=None, status=200, loop=None, future=future
            )

        before = [shop.submit(actor, buy("MUG-1", f"before-{n}")) for n in range(50)]
        shop.executor.submit(actor.org_id, submission("gone", gone))
        after = [shop.submit(actor, buy("MUG-1", f"after-{n}")) for n in range(50)]

        outcomes = [outcome_of(future) for future in before + after]

        assert Tally(outcomes).accepted == 100, [one for one in outcomes if not isinstance(one, Reply)][:3]
        with pytest.raises((CancelledError, InvalidStateError)):
            gone.result(0)
        orders = assert_books(shop, actor).orders()
        assert orders.pop("gone", 0) <= 1
        assert orders == {f"{when}-{n}": 1 for when in ("before", "after") for n in range(50)}


def test_a_callback_that_raises_hurts_nobody(database_url):
    """What callers hang on their future is theirs."""

    def broken(_future: Future[Reply]) -> None:
        raise Bug("in a callback")

    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 100)
        futures = [shop.submit(actor, buy("MUG-1", f"o-{n}")) for n in range(40)]
        for future in futures[::4]:
            future.add_done_callback(broken)

        assert Tally([outcome_of(future) for future in futures]).accepted == 40
        assert assert_books(shop, actor).orders() == {f"o-{n}": 1 for n in range(40)}
        assert refused(shop, actor, buy("MUG-1", "more", 61)).code == "INSUFFICIENT_STOCK"
