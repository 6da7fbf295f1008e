"""Whatever is done with gift cards, in whichever order and batches: each is worth the sum of its entries, and owed.

A run draws acts on a few codes and does them in groups, each one batch. A model of twenty lines says beforehand what
each act comes to.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from holdfast.check import check
from holdfast.core.decide import Refusal
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.number import AMOUNT_MAX
from tests.core.books import balances
from tests.gift_cards import ActOnCard, acting_on_cards
from tests.shop import Shop, open_shop, quick_sqlite

ACTS = st.builds(
    ActOnCard,
    st.sampled_from(("issue", "load", "spend", "spend", "block")),
    st.sampled_from((0, 1, 7, 250, 1000, AMOUNT_MAX - 500, AMOUNT_MAX)),
    st.sampled_from(("CARD-A", "card-b", "CARD-C")),
)

counted: Counter[str] = Counter()
"""What the acts came to, so that the property cannot pass by refusing everything."""


class ModelCard(msgspec.Struct):
    """What a card must be worth."""

    issued: int
    amounts: list[int]
    blocked: bool = False

    @property
    def balance(self) -> int:
        """The sum of what came and went."""
        return sum(self.amounts)


def expected(cards: dict[str, ModelCard], act: ActOnCard) -> str | int:
    """What the act must come to: a code, or the balance after it; the cards are then as they must be."""
    code = str(act.code).upper()
    card = cards.get(code)
    if act.act == "issue":
        if not 0 < act.amount <= AMOUNT_MAX:
            return "INVALID_AMOUNT"
        if card is not None:
            return "ALREADY_EXISTS"
        card = cards[code] = ModelCard(act.amount, [act.amount])
        return card.balance
    if card is None:
        return "NOT_FOUND"
    if card.blocked or (act.act == "block" and card.balance < card.issued):
        return "INVALID_STATE"
    if act.act == "block":
        card.amounts.append(-card.balance)
        card.blocked = True
        return 0
    if act.amount <= 0 or (act.act == "load" and card.balance + act.amount > AMOUNT_MAX):
        return "INVALID_AMOUNT"
    if act.act == "spend" and act.amount > card.balance:
        return "PAYMENT_MISMATCH"
    card.amounts.append(act.amount if act.act == "load" else -act.amount)
    return card.balance


def assert_as_expected(shop: Shop, cards: dict[str, ModelCard]) -> None:
    """The tables say what the model says, and account 2200 owes it."""
    kept = {row["id"]: row for row in shop.rows("SELECT * FROM gift_card")}
    entries: dict[str, list[int]] = {row["code"]: [] for row in kept.values()}
    for row in shop.rows("SELECT * FROM gift_card_entry ORDER BY card_id, seq"):
        own = entries[kept[row["card_id"]]["code"]]
        own.append(row["amount"])
        assert row["seq"] == len(own) and row["balance_after"] == sum(own) >= 0
    assert entries == {code: card.amounts for code, card in cards.items()}
    assert {row["code"]: row["balance"] for row in kept.values()} == {
        code: card.balance for code, card in cards.items()
    }
    assert balances(shop).get("2200", 0) == -sum(card.balance for card in cards.values())
    assert check(shop.holdfast.database).mismatches == []


@contextmanager
def fresh_shop() -> Iterator[Shop]:
    """A shop on SQLite without a card."""
    with (
        tempfile.TemporaryDirectory() as folder,
        quick_sqlite(),
        open_shop(f"sqlite:///{Path(folder) / 'shop.db'}") as shop,
    ):
        yield shop


def run(groups: list[list[ActOnCard]]) -> None:
    """Do the groups one after another in a fresh shop."""
    cards: dict[str, ModelCard] = {}
    with acting_on_cards(), fresh_shop() as shop:
        for acts in groups:
            told = [_told(one) for one in shop.ok(CommandGroup(tuple(acts), atomic=False))]
            assert told == [expected(cards, act) for act in acts]
            for act, one in zip(acts, told, strict=True):
                counted[f"{act.act} {one}" if isinstance(one, str) else act.act] += 1
        assert_as_expected(shop, cards)


def _told(answer: Any) -> str | int:
    return str(answer.rejected.code) if isinstance(answer, Refusal) else answer.balance


@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.lists(ACTS, min_size=1, max_size=12), min_size=1, max_size=6))
def _property(groups: list[list[ActOnCard]]) -> None:
    run(groups)


def test_a_card_is_worth_the_sum_of_its_entries() -> None:
    counted.clear()
    _property()
    for came_to in ("issue", "load", "spend", "block", "spend PAYMENT_MISMATCH", "load INVALID_STATE"):
        assert counted[came_to], counted
