"""Keys at the Python door: the command says what makes it the same, and a replay has the first answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_type_hints

import msgspec
import pytest

from holdfast.core.answer import answer_types, decode_answer, encode_answer
from holdfast.core.decide import DECISIONS, Refusal, Sweep
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.rejection import Code, Rejected
from holdfast.core.reservations.order_holds import OrderLine, OrderReserve, ReserveAtLevel
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.sales.order_entry import DiscountRequest, LineRequest, OpenSale
from tests.shop import Shop


def reserve(order: str, quantity: Any = 1) -> Reserve:
    return Reserve("MUG-1", quantity, "MAIN", Target(order))


def test_another_command_under_a_used_key_is_refused(shop_anywhere: Shop) -> None:
    """It was answered with the first one's body, and nothing was done, without an error."""
    shop = shop_anywhere
    shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    shop.ok(reserve("102"), key="k")
    for other in (reserve("103"), reserve("102", 2), AddProduct("TEE-1"), CommandGroup((reserve("102"),))):
        assert shop.refused(other, key="k").code is Code.IDEMPOTENCY_KEY_REUSED
    assert shop.rows("SELECT reserved FROM level") == [{"reserved": 1}]
    assert len(shop.rows("SELECT id FROM product")) == 1


@pytest.mark.parametrize("again", [Decimal(2), Decimal("2.00"), Decimal("0.2e1")])
def test_the_same_number_is_the_same_command(shop: Shop, again: Decimal) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    first = shop.holdfast.do(shop.owner, reserve("102", 2), key="k")
    replay = shop.holdfast.do(shop.owner, reserve("102", again), key="k")
    assert replay.replayed
    assert replay.answer == first.answer


def test_a_replay_has_the_first_answer(shop_anywhere: Shop) -> None:
    """Typed, whatever it was: a record, a document, a list, a number, a group of which some were refused."""
    shop = shop_anywhere
    shop.product("MUG-1")
    shop.receive("MUG-1", 50)
    shop.product("SONG-1", kind="digital", price=990)
    commands = [
        AddProduct("TEE-1", price="9.90"),
        ChangeProduct("TEE-1", title="Tee"),
        reserve("102"),
        ReserveAtLevel("SONG-1", "MAIN", 1),
        ReserveAtLevel("MUG-1", "MAIN", 1),
        OrderReserve("103", "shopify", (OrderLine("MUG-1", 1), OrderLine("SONG-1", 1))),
        OpenSale("MAIN", lines=(LineRequest("SONG-1", 2, discount=DiscountRequest(percent=Decimal("12.5"))),)),
        Sweep(()),
        CommandGroup((reserve("104"), reserve("105", 100), AddProduct("TEE-2")), atomic=False),
    ]
    for number, command in enumerate(commands):
        first = shop.holdfast.do(shop.owner, command, key=f"k{number}")
        assert not isinstance(first.answer, Rejected), first
        again = shop.holdfast.do(shop.owner, command, key=f"k{number}")
        assert again.replayed and not first.replayed
        assert again.answer == first.answer
        assert type(again.answer) is type(first.answer)
        assert again.body == msgspec.json.encode(first.answer)
    assert isinstance(again.answer[1], Refusal)


def test_who_is_limited_to_stores_does_not_hear_what_others_were_answered(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 5, "EAST")
    command = Reserve("MUG-1", 1, "EAST")
    shop.ok(command, key="k", actor=shop.staff)
    assert shop.refused(command, key="k", actor=shop.east_staff).code is Code.IDEMPOTENCY_KEY_REUSED


def test_what_a_caller_rendered_is_its_own(shop: Shop) -> None:
    """A body that was rendered for HTTP is no answer of the core."""
    shop.product("MUG-1")
    shop.receive("MUG-1", 5)
    options: dict[str, Any] = {"key": "k", "render": lambda _: b'{"order":"102"}', "status": 201}
    shop.holdfast.do(shop.owner, reserve("102"), **options)
    again = shop.holdfast.do(shop.owner, reserve("102"), **options)
    assert (again.replayed, again.answer, again.body) == (True, None, b'{"order":"102"}')


def test_every_decision_says_what_it_answers() -> None:
    for decision in DECISIONS.values():
        assert "return" in get_type_hints(decision.decide), decision
    assert {"Product", "SaleDocument", "ReservationDocument", "Refusal"} <= set(answer_types())
    assert len(answer_types()) > 20


def test_an_answer_of_an_older_version_is_none() -> None:
    assert decode_answer(b'{"id":"1"}') is None
    assert decode_answer(b'{"holdfast.answer":["Gone",{}]}') is None
    assert decode_answer(encode_answer([3, None, [Rejected(Code.NOT_FOUND, "x")]])[:0]) is None
