"""The check finds gift cards that cannot be true, also where every row is intact, and what 2200 owes to no card."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from holdfast.check import check
from holdfast.core.sales.gift_cards import GiftCard, GiftCardEntry
from holdfast.db.batch.rows import checksum, row_type
from tests.gift_cards import ActOnCard, acting_on_cards
from tests.shop import Shop, open_shop, quick_sqlite, unguard

CODE = "XMAS-0001"


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A shop with a card that was issued with 50.00, of which 19.90 are spent."""
    with quick_sqlite(), open_shop(database_url) as shop, acting_on_cards():
        shop.ok(ActOnCard("issue", 5000, code=CODE))
        shop.ok(ActOnCard("spend", 1990, code=CODE))
        assert check(shop.holdfast.database).mismatches == []
        unguard(shop.holdfast.database)
        yield shop


def found(shop: Shop) -> list[tuple[str, str, str]]:
    """What the check finds: invariant, what is expected, what is there."""
    return [(one.invariant, one.expected, one.found) for one in check(shop.holdfast.database).mismatches]


def rewrite(shop: Shop, struct: type[Any], where: str, **fields: Any) -> None:
    """Change rows and give them checksums that fit."""
    kind = row_type(struct)
    for row in shop.rows(f"SELECT {', '.join(kind.columns)} FROM {kind.table.name} WHERE {where}"):
        changed = struct(**{**row, **fields})
        sets = ", ".join(f"{name} = :{name}" for name in (*fields, "checksum"))
        with shop.holdfast.database.writing() as connection:
            connection.execute(
                text(f"UPDATE {kind.table.name} SET {sets} WHERE id = :id"),
                {**fields, "checksum": checksum(changed), "id": row["id"]},
            )


def test_a_balance_that_is_not_the_sum_of_its_entries(shop: Shop) -> None:
    rewrite(shop, GiftCard, "true", balance=4010)
    assert found(shop) == [
        ("gift_card is its entries", "(2, 3010)", "(2, 4010)"),
        ("account is its money", "-4010", "-3010"),
    ]


def test_an_entry_that_does_not_follow(shop: Shop) -> None:
    rewrite(shop, GiftCardEntry, "seq = 2", amount=-990, created_at=1)
    expected = check(shop.holdfast.database).mismatches
    assert [one.invariant for one in expected] == [
        "gift_card_entry follows on the one before",
        "gift_card_entry.created_at",
        "gift_card is its entries",
    ]
    assert expected[0].row.startswith("gift_card_entry ")


def test_a_card_that_was_not_issued_with_that(shop: Shop) -> None:
    rewrite(shop, GiftCard, "true", issued=3010, code="xmas-0001")
    assert [one[0] for one in found(shop)] == ["gift_card.issued", "gift_card.code"]


def test_an_entry_of_no_card(shop: Shop) -> None:
    rewrite(shop, GiftCardEntry, "seq = 2", card_id=str(uuid.uuid4()))
    assert {one[0] for one in found(shop)} == {"gift_card_entry.card", "gift_card is its entries"}


def test_a_card_that_nobody_booked(shop: Shop) -> None:
    shop.ok(ActOnCard("issue", 700, booked=False))
    assert found(shop) == [("account is its money", "-3710", "-3010")]


def test_a_liability_without_a_card(shop: Shop) -> None:
    """An entry of the books that touches account 2200, of which no card knows."""
    with shop.holdfast.database.writing() as connection:
        connection.execute(text("DELETE FROM gift_card_entry"))
        connection.execute(text("DELETE FROM gift_card"))
    assert found(shop) == [("account is its money", "0", "-3010")]
