"""Steps over several items: all of them are tried, questions come before refusals, and a line is named where it may be.

A refuses, B asks, C refuses      -> B's question; when it is answered: A's refusal, or both A's and C's by line
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Settings
from holdfast.core.records.rejection import Code, Refused, RefusedOutright, Rejected, invalid_state
from holdfast.core.records.wants import Missing, SaleById
from holdfast.core.stock.posting import Stock


@pytest.fixture
def stock() -> Stock:
    numbers = count(1)
    return Stock("shop", Catalog(Settings(id="shop", name="Shop")), 0, lambda: f"{next(numbers):032d}")


def step(stock: Stock, index: int, item: str) -> str:
    """Tell an event, and then do what the item says."""
    stock.tell("Tried", None, {"index": index})
    if item == "refuse":
        raise invalid_state(f"{index} is refused.")
    if item == "full":
        raise RefusedOutright(Code.INVALID_QUANTITY, "The balance is full.")
    if item.startswith("ask"):
        raise Missing({SaleById(item)})
    return item


def tried(stock: Stock) -> list[Any]:
    return [event.data["index"] for event in stock.events]


def test_what_is_accepted_is_answered_in_order(stock: Stock) -> None:
    assert stock.each("abc", lambda index, item: f"{index}{item}") == ["0a", "1b", "2c"]


def test_the_first_refusal_is_told_after_all_were_tried(stock: Stock) -> None:
    with pytest.raises(Refused) as no:
        stock.each(["a", "refuse", "b", "refuse"], lambda index, item: step(stock, index, item))

    assert no.value.rejected == Rejected(Code.INVALID_STATE, "1 is refused.")
    assert tried(stock) == [0, 1, 2, 3]


def test_every_refused_line_is_named(stock: Stock) -> None:
    with pytest.raises(Refused) as no:
        stock.each_line(["refuse", "a", "refuse"], lambda index, item: step(stock, index, item))

    assert no.value.rejected.detail == "0 is refused."
    assert [line["index"] for line in no.value.rejected.numbers["lines"]] == [0, 2]


@pytest.mark.parametrize("each", ["each", "each_line"])
def test_questions_come_together_and_before_refusals(stock: Stock, each: str) -> None:
    with pytest.raises(Missing) as missing:
        getattr(stock, each)(["refuse", "ask 1", "ask 2"], lambda index, item: step(stock, index, item))

    assert missing.value.wants == {SaleById("ask 1"), SaleById("ask 2")}
    assert tried(stock) == [0], "what asked is taken back; what was refused stays until all is undone"


@pytest.mark.parametrize("each", ["each", "each_line"])
def test_a_bound_ends_it_and_names_no_line(stock: Stock, each: str) -> None:
    with pytest.raises(RefusedOutright) as no:
        getattr(stock, each)(["refuse", "full", "a"], lambda index, item: step(stock, index, item))

    assert no.value.rejected == Rejected(Code.INVALID_QUANTITY, "The balance is full.")
    assert tried(stock) == [0, 1]
