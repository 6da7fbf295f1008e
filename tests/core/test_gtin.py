"""GTINs: which texts are one, and which are the same number."""

from __future__ import annotations

import pytest

from holdfast.core.records.gtin import is_gtin, same_number, spellings


@pytest.mark.parametrize("text", ["96385074", "036000291452", "4006381333931", "04006381333931", "20012345678909"])
def test_a_right_check_digit_makes_a_gtin(text: str) -> None:
    assert is_gtin(text)
    assert not is_gtin(text[:-1] + str((int(text[-1]) + 1) % 10))


@pytest.mark.parametrize("text", ["", "0", "123456789", "04006381333931 ", "4006381333931٠", "abcdefgh", "1" * 200])
def test_other_texts_are_none(text: str) -> None:
    assert not is_gtin(text)


def test_zeros_in_front_make_no_difference() -> None:
    assert spellings("036000291452") == {"036000291452", "0036000291452", "00036000291452"}
    assert spellings("20012345678909") == {"20012345678909"}
    assert same_number("036000291452", "00036000291452") and not same_number("036000291452", "96385074")
