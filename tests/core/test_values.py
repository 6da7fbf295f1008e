"""Value: what lots are worth, to the last minor unit (docs/reference/api.md#conventions)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.records import number, time
from holdfast.core.reservations.reserve import Consume, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.core.scene import Scene


def receipt(quantity: int | Decimal, **fields: str) -> Receive:
    return Receive("MAIN", (ReceiptLine("MUG-1", quantity, lot_code="A", **fields),))  # type: ignore[arg-type] # texts


@pytest.mark.parametrize(
    ("quantity", "unit_cost", "value"),
    [
        (3, "0.333333", 100),
        (1, "0.005", 0),
        (3, "0.005", 2),
        (5, "0.005", 2),
        (7, "0.005", 4),
        (1, "19.99", 1999),
        (1000, "0.000001", 0),
        (10_000, "0.000001", 1),
    ],
)
def test_the_value_received_is_rounded_half_even_once(scene: Scene, quantity: int, unit_cost: str, value: int) -> None:
    scene.product("MUG-1")
    answer = scene.do(receipt(quantity, unit_cost=unit_cost))
    assert (scene.value("A"), answer.lines[0].value) == (value, f"{value // 100}.{value % 100:02d}")


def test_a_line_cost_is_the_value(scene: Scene) -> None:
    scene.product("MUG-1")
    scene.do(receipt(3, line_cost="10.00"))
    assert scene.value("A") == 1000
    assert scene.shop.rows("SELECT unit_cost FROM lot") == [{"unit_cost": 3_333_333}]


def test_a_cost_has_up_to_six_places_and_is_not_negative(scene: Scene) -> None:
    scene.product("MUG-1")
    for cost in ("0.1234567", "-1", "1e3", "", "free", "1,50", "NaN", "1" * 50, "10000000000"):
        if cost:
            scene.refuses(receipt(1, unit_cost=cost), "INVALID_AMOUNT")
    for cost in ("0.001", "-0.01", "x", "99999999999999999.00"):
        scene.refuses(receipt(1, line_cost=cost), "INVALID_AMOUNT")
    scene.refuses(AdjustStock("MUG-1", "MAIN", 1, unit_cost="1.2345678"), "INVALID_AMOUNT")


def test_the_last_unit_takes_what_is_left(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 3 @0.333333")
    scene.do(Reserve("MUG-1", 3, "MAIN", Target("102")))
    left = [scene.value("A")]
    for _ in range(3):
        scene.do(Consume(scene.hold("102"), 1))
        left.append(scene.value("A"))
    assert left == [100, 67, 33, 0] or left == [100, 67, 34, 0]
    assert sum(line["value_delta"] for line in scene.ledger()) == 0


@pytest.mark.parametrize(("value", "parts", "left"), [(5, [1, 1], 3), (10, [1, 1, 1, 1], 0)], ids=["half", "to zero"])
def test_shares_are_rounded_half_even(value: int, parts: list[int], left: int) -> None:
    on_hand = 4
    for part in parts:
        value -= number.share_of_value(value, on_hand, part)
        on_hand -= part
    assert value == left


@given(
    value=st.integers(0, 10**15),
    on_hand=st.integers(1, 10**12),
    cuts=st.lists(st.integers(1, 10**12), max_size=20),
)
def test_shares_sum_to_the_value_and_none_is_negative(value: int, on_hand: int, cuts: list[int]) -> None:
    left, units = value, on_hand
    for cut in [*cuts, on_hand]:
        part = min(cut, units)
        if part:
            share = number.share_of_value(left, units, part)
            assert 0 <= share <= left
            assert part == units or abs(Fraction(left * part, units) - share) <= Fraction(1, 2)
            left, units = left - share, units - part
    assert (left, units) == (0, 0)


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_division_rounds_half_even(numerator: int, denominator: int) -> None:
    assert number.divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(
    units=st.integers(1, 10**6),
    precision=st.integers(0, 4),
    cost=st.integers(0, 10**12),
    digits=st.sampled_from((0, 2, 3)),
)
def test_value_is_quantity_times_cost_in_any_currency(units: int, precision: int, cost: int, digits: int) -> None:
    exact = Fraction(units, 10**precision) * Fraction(cost, 10**6) * 10**digits
    assert number.value_of(units, precision, cost, digits) == round(exact)


@pytest.mark.parametrize(
    ("currency", "digits", "line_cost", "value", "refused"),
    [("JPY", 0, "1500", 1500, "15.50"), ("KWD", 3, "1.234", 1234, "1.2345"), ("EUR", 2, "1.23", 123, "1.234")],
)
def test_money_has_the_currencys_places(
    scene: Scene, currency: str, digits: int, line_cost: str, value: int, refused: str
) -> None:
    scene.shop.settings(currency=currency, minor_digits=digits)
    scene.product("MUG-1")
    assert scene.do(receipt(1, line_cost=line_cost)).lines[0].value == line_cost
    assert scene.value("A") == value
    scene.refuses(receipt(1, line_cost=refused), "INVALID_AMOUNT")


def test_surplus_takes_the_given_cost_else_the_last(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1 @1.50")
    scene.do(AdjustStock("MUG-1", "MAIN", 2, unit_cost="2.00"))
    scene.do(AdjustStock("MUG-1", "EAST", 2))
    assert sorted(line["value_delta"] for line in scene.ledger("ADJUSTMENT")) == [300, 400]


def test_goods_received_without_a_cost_say_nothing_of_the_next(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1 @1.50")
    for line in (ReceiptLine("MUG-1", 4), ReceiptLine("MUG-1", 1, line_cost="0.00")):
        scene.do(Receive("MAIN", (line,)))
        scene.do(AdjustStock("MUG-1", "EAST", 2))
    assert sorted(line["value_delta"] for line in scene.ledger("ADJUSTMENT")) == [0, 300]


def test_fractions_of_a_unit_have_their_share(scene: Scene) -> None:
    scene.product("OIL-1", precision=3)
    scene.shop.receive("OIL-1", Decimal("1.500"), lot="A", cost="10.00")
    scene.do(Reserve("OIL-1", Decimal("0.333"), "MAIN", Target("102")))
    scene.do(Consume(scene.hold("102")))
    assert scene.value("A") == 1500 - 333


# Joining -------------------------------------------------------------------------------------------------------------


def test_the_same_code_at_the_same_cost_and_expiry_joins_the_lot(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 3 @1.50, A 2 @1.50
        MUG-1 EAST  A 1 @1.50
    """)
    scene.stands("""
        MUG-1 EAST  A 1/0
        MUG-1 MAIN  A 5/0
    """)
    assert len(scene.shop.rows("SELECT id FROM lot")) == 1
    assert (scene.value("A"), scene.value("A", "EAST")) == (750, 150)


def test_another_cost_or_expiry_is_another_lot(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 @1.50, A 2 @1.51, A 1 @1.50 until 60, ~ 1 @1.50, ~ 1 @1.50")
    scene.stands("MUG-1 MAIN  A 3/0, A 2/0, A 1/0, ~ 1/0, ~ 1/0")


def test_two_lines_of_one_receipt_join_each_other(scene: Scene) -> None:
    scene.product("MUG-1")
    line = ReceiptLine("MUG-1", 2, "1.00", lot_code="A")
    answer = scene.do(Receive("MAIN", (line, line)))
    assert len({one.lot_id for one in answer.lines}) == 1
    scene.stands("MUG-1 MAIN  A 4/0")


# Numbers -------------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**12), 10**12), st.integers(0, 4))
def test_units_go_out_and_come_back(units: int, precision: int) -> None:
    outside = number.from_units(units, precision)
    assert number.to_units(Decimal(repr(outside)), precision) == units


@given(st.integers(-(10**15), 10**15), st.sampled_from((0, 2, 3)))
def test_money_goes_out_and_comes_back(minor: int, digits: int) -> None:
    assert number.to_minor(number.from_minor(minor, digits), digits) == minor


@pytest.mark.parametrize(
    "text",
    ["1e400", "1E+5000", "-1e400", "1e-400", "NaN", "sNaN", "Infinity", "-Infinity", "0.12345", "1000000000000.1"],
)
def test_what_does_not_fit_is_no_number(text: str) -> None:
    assert number.to_units(Decimal(text), 4) is None or abs(Decimal(text)) <= 10**8


@given(st.decimals(allow_nan=True, allow_infinity=True), st.integers(0, 4))
def test_any_decimal_is_exact_or_refused(value: Decimal, precision: int) -> None:
    units = number.to_units(value, precision)
    if units is not None:
        assert Fraction(value) * 10**precision == units
        assert abs(units) <= number.QUANTITY_MAX
    else:
        fits = value.is_finite() and abs(value) < 10**8 and Fraction(value).limit_denominator(10**40) is not None
        assert not fits or Fraction(value) * 10**precision % 1 != 0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("2027-01-15T08:00:00.123456Z", 1_800_000_000_123_456),
    ],
)
def test_an_instant_keeps_its_microseconds(text: str, at: int) -> None:
    assert time.instant_of(text) == at
    assert time.instant_of(time.instant_text(at)) == at


@pytest.mark.parametrize("text", ["2027-01-15", "2027-01-15T08:00:00", "tomorrow", "", "2027-13-01T00:00:00Z"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    assert time.instant_of(text) is None
