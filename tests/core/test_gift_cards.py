"""Gift cards: issued, loaded, spent and blocked, one after another and many in one batch.

See docs/how-to/gift-cards.md.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.check import check
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.number import AMOUNT_MAX
from holdfast.core.records.organisation import Settings
from holdfast.core.records.wants import GiftCardOfCode, Missing
from holdfast.core.sales.gift_cards import ALPHABET, CODE_BITS, issue, look_at, read_code
from holdfast.core.stock.posting import Stock
from tests.core.books import balances
from tests.core.scene import Scene
from tests.gift_cards import ActOnCard, acting_on_cards

CODE = "XMAS-0001"


@pytest.fixture(autouse=True)
def known_command() -> Iterator[None]:
    with acting_on_cards():
        yield


def entries(scene: Scene) -> list[tuple[int, int, int, str]]:
    """(number, amount, balance, what did it) of each entry."""
    found = scene.shop.rows("SELECT * FROM gift_card_entry ORDER BY card_id, seq")
    return [(row["seq"], row["amount"], row["balance_after"], row["ref_type"]) for row in found]


def assert_sound(scene: Scene) -> None:
    """What the cards are worth is what account 2200 has."""
    worth = sum(row["balance"] for row in scene.shop.rows("SELECT balance FROM gift_card"))
    assert balances(scene.shop).get("2200", 0) == -worth
    assert check(scene.shop.holdfast.database).mismatches == []


def test_a_card_is_issued_loaded_and_spent(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    card = scene.do(ActOnCard("issue", 5000, code=CODE))
    assert (card.code, card.balance, card.status, card.issued_by_sale) == (CODE, 5000, "active", None)
    assert scene.do(ActOnCard("load", 1000, code=CODE)).balance == 6000
    assert scene.do(ActOnCard("spend", 1990, code=CODE)).balance == 4010
    assert scene.do(ActOnCard("spend", 4010, code=CODE)).status == "active"
    assert scene.do(ActOnCard("load", 1, code=CODE)).balance == 1
    assert entries(scene) == [
        (1, 5000, 5000, "SALE"),
        (2, 1000, 6000, "SALE"),
        (3, -1990, 4010, "PAYMENT"),
        (4, -4010, 0, "PAYMENT"),
        (5, 1, 1, "SALE"),
    ]
    assert_sound(scene)


def test_more_than_is_left_is_refused_with_both_numbers(scene: Scene) -> None:
    scene.do(ActOnCard("issue", 300, code=CODE))
    refused = scene.refuses(ActOnCard("spend", 500, code=CODE), "PAYMENT_MISMATCH")
    assert refused.numbers == {"available": "3.00", "requested": "5.00", "field": "payments"}
    assert CODE not in refused.detail
    assert entries(scene) == [(1, 300, 300, "SALE")]


@pytest.mark.parametrize("act", ["load", "spend", "block"])
@pytest.mark.parametrize("code", ["NOBODY-HAS-IT", "short", "n\u00f6-code-at-all", "'; --1234", ""])
def test_an_unknown_code_is_not_found(scene: Scene, act: Any, code: str) -> None:
    scene.refuses(ActOnCard(act, 100, code=code or "?"), "NOT_FOUND")


def test_a_code_is_read_in_any_case_with_spaces_around_it(scene: Scene) -> None:
    assert scene.do(ActOnCard("issue", 500, code="  xmas-0001 ")).code == CODE
    assert scene.do(ActOnCard("spend", 100, code="Xmas-0001")).balance == 400
    refused = scene.refuses(ActOnCard("issue", 500, code="XMAS-0001 "), "ALREADY_EXISTS")
    assert refused.numbers == {"field": "code"}


@pytest.mark.parametrize("code", ["12345", "A" * 65, "XMAS 0001", "XMAS_0001", "\u0130STANBUL", "XMAS\u20130001"])
def test_a_code_that_cannot_be_one_is_refused(scene: Scene, code: str) -> None:
    refused = scene.refuses(ActOnCard("issue", 500, code=code), "INVALID_REQUEST")
    assert refused.numbers == {"field": "code"}


def test_longest_and_shortest_code(scene: Scene) -> None:
    for code in ("123456", "A" * 64):
        assert scene.do(ActOnCard("issue", 500, code=code)).code == code


def test_made_codes_are_four_groups_without_look_alikes(scene: Scene) -> None:
    made = scene.do(CommandGroup(tuple(ActOnCard("issue", 100) for _ in range(200))))
    codes = {card.code for card in made}
    assert len(codes) == 200
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){3}", code) for code in codes)
    assert len(ALPHABET) == len(set(ALPHABET)) == 2**5 and CODE_BITS == 80
    places = [{code[place] for code in codes} for place in range(19) if place % 5 != 4]
    assert all(len(seen) > 20 for seen in places), "each place is drawn"
    assert all(read_code(code) == code for code in codes)
    assert_sound(scene)


@pytest.mark.parametrize("amount", [0, -1, AMOUNT_MAX + 1])
def test_an_amount_is_above_zero_and_bounded(scene: Scene, amount: int) -> None:
    scene.refuses(ActOnCard("issue", amount, code=CODE), "INVALID_AMOUNT")
    scene.do(ActOnCard("issue", 1, code=CODE))
    scene.refuses(ActOnCard("load", amount, code=CODE), "INVALID_AMOUNT")
    scene.refuses(ActOnCard("spend", amount, code=CODE), "INVALID_AMOUNT")


def test_a_card_holds_no_more_than_an_amount_can_be(scene: Scene) -> None:
    scene.do(ActOnCard("issue", AMOUNT_MAX - 1, code=CODE))
    scene.do(ActOnCard("load", 1, code=CODE))
    scene.refuses(ActOnCard("load", 1, code=CODE), "INVALID_AMOUNT")
    assert_sound(scene)


def test_a_whole_card_can_be_given_back(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.do(ActOnCard("issue", 5000, code=CODE))
    scene.do(ActOnCard("load", 1000, code=CODE))
    card = scene.do(ActOnCard("block", code=CODE))
    assert (card.balance, card.status) == (0, "blocked")
    assert entries(scene)[-1] == (3, -6000, 0, "RETURN")
    for act in ("load", "spend", "block"):
        scene.refuses(ActOnCard(act, 100, code=CODE), "INVALID_STATE")
    scene.refuses(ActOnCard("issue", 100, code=CODE), "ALREADY_EXISTS")
    assert_sound(scene)


def test_a_card_that_was_spent_of_is_not_given_back(scene: Scene) -> None:
    scene.do(ActOnCard("issue", 5000, code=CODE))
    scene.do(ActOnCard("spend", 1, code=CODE))
    refused = scene.refuses(ActOnCard("block", code=CODE), "INVALID_STATE")
    assert refused.numbers == {"available": "49.99", "requested": "50.00"}
    scene.do(ActOnCard("load", 1, code=CODE))
    assert scene.do(ActOnCard("block", code=CODE)).status == "blocked"


def test_one_batch_spends_a_card_once(scene_anywhere: Scene) -> None:
    """Each command of a batch sees what those before it left, of cards that were there and of new ones."""
    scene = scene_anywhere
    scene.do(ActOnCard("issue", 500, code=CODE))
    spends = tuple(ActOnCard("spend", 300, code=code) for code in (CODE, CODE, "NEW-CARD", "NEW-CARD"))
    answers = scene.do(CommandGroup((ActOnCard("issue", 500, code="new-card"), *spends), atomic=False))
    codes = [str(one.rejected.code) if hasattr(one, "rejected") else one.balance for one in answers]
    assert codes == [500, 200, "PAYMENT_MISMATCH", 200, "PAYMENT_MISMATCH"]
    twice = CommandGroup((ActOnCard("issue", 1, code="TWICE-1"), ActOnCard("issue", 1, code="twice-1")))
    scene.refuses(twice, "ALREADY_EXISTS")
    assert_sound(scene)


def test_the_cards_of_a_sale_are_those_of_the_database_and_of_the_batch(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    sale_id, other = (str(uuid.uuid4()) for _ in range(2))
    first = scene.do(ActOnCard("issue", 500, sale_id=sale_id))
    scene.do(ActOnCard("issue", 500, sale_id=other))
    scene.do(ActOnCard("issue", 500))
    assert scene.do(ActOnCard("of_sale", sale_id=sale_id)) == [first]
    acts = (
        ActOnCard("issue", 700, sale_id=sale_id),
        ActOnCard("spend", 100, code=first.code),
        ActOnCard("of_sale", sale_id=sale_id),
    )
    second, spent, both = scene.do(CommandGroup(acts))
    assert both == [spent, second] and (spent.id, spent.balance) == (first.id, 400)
    assert scene.do(ActOnCard("of_sale", sale_id=str(uuid.uuid4()))) == []


def test_a_refused_card_leaves_no_trace_in_its_batch(scene: Scene) -> None:
    """The group is taken back: neither its code is taken, nor is the card one of the sale."""
    sale_id = str(uuid.uuid4())
    group = CommandGroup((ActOnCard("issue", 500, code=CODE, sale_id=sale_id), ActOnCard("spend", 501, code=CODE)))
    again = CommandGroup((group, ActOnCard("of_sale", sale_id=sale_id), ActOnCard("issue", 1, code=CODE)), atomic=False)
    _, of_sale, issued = scene.do(again)
    assert (of_sale, issued.balance) == ([], 1)
    assert_sound(scene)


def test_all_cards_are_asked_for_at_once() -> None:
    stock = Stock("", Catalog(Settings(id="", name="")), 0, lambda: str(uuid.uuid4()))
    with pytest.raises(Missing) as asked:
        look_at(stock, ["XMAS-0001", " xmas-0001", "no", "OTHER-01"])
    assert asked.value.wants == {GiftCardOfCode("XMAS-0001"), GiftCardOfCode("OTHER-01")}


def test_what_only_looks_makes_no_code() -> None:
    """A working set that nobody will save has no source of secrets."""
    stock = Stock("", Catalog(Settings(id="", name="")), 0, lambda: str(uuid.uuid4()))
    with pytest.raises(LookupError, match="80 random bits"):
        issue(stock, 100, "SALE", "", code=None, sale_id=None)
