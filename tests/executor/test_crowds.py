"""How much of what waits goes as one batch."""

from __future__ import annotations

import sys
from concurrent.futures import wait
from typing import Any

import pytest

import holdfast.executor
from holdfast.core.reservation import Reserve, Target
from tests.shop import Shop

COME_SECONDS = 5.0
"""So long nobody else has the interpreter while a crowd comes."""


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many commands each batch had, from here on."""
    seen: list[int] = []

    class Counted(holdfast.executor.Batch):
        def __init__(self, session: Any, catalogs: Any, org_id: str, submissions: list[Any]) -> None:
            seen.append(len(submissions))
            super().__init__(session, catalogs, org_id, submissions)

    monkeypatch.setattr(holdfast.executor, "Batch", Counted)
    return seen


def come(shop: Shop, people: int) -> None:
    """So many come at once, before the writer has seen the first, and all are served."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(COME_SECONDS)
    try:
        futures = [shop.holdfast.submit(shop.owner, Reserve("MUG-1", 1, "MAIN", Target(str(n)))) for n in range(people)]
    finally:
        sys.setswitchinterval(before)
    assert len(wait(futures, timeout=30).done) == people
    assert {future.result().answer.order_number for future in futures} == {str(n) for n in range(people)}


@pytest.mark.parametrize(("people", "batches"), [(1, [1]), (31, [31]), (32, [16, 16]), (64, [32, 32])])
def test_a_crowd_that_comes_after_a_rest_goes_as_two_batches(
    shop: Shop, sizes: list[int], people: int, batches: list[int]
) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 200)
    sizes.clear()

    come(shop, people)

    assert sizes == batches
    assert shop.rows("SELECT reserved FROM level") == [{"reserved": people}]
