"""Two spellings that look the same are one text, in a time that grows with its length alone."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.records import text
from holdfast.core.records.text import TEXT_MAX, composed

SIGNS = (
    "ae\u1ec7\u0301\u0323\u0327\u0345\uac00\u1100\u1161\u11a8 \xa0\xe9\u0f71\u0f72\u3099\u304b\u0f73\u0f75\u0f81\u0344"
)
"""Letters, marks of many classes, signs that come apart into marks, syllables in parts, and a space that is none of
ASCII."""


@given(st.text(SIGNS, min_size=TEXT_MAX - 5, max_size=TEXT_MAX + 200))
def test_a_long_text_is_composed_as_a_short_one(written: str) -> None:
    spaced = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in written)

    assert composed(written) == unicodedata.normalize("NFC", spaced)


@pytest.mark.parametrize("signs", ["\u0301\u0323", "\u0f73", "\u0f75\u0f81", "\u0344\u0327"])
def test_python_has_no_marks_to_put_in_order(monkeypatch: pytest.MonkeyPatch, signs: str) -> None:
    """It would do that by insertion, in the square of their number."""
    seen = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(unicodedata, name)

        def normalize(self, form: Any, given: str) -> str:
            seen.append(given)
            return unicodedata.normalize(form, given)

    monkeypatch.setattr(text, "unicodedata", Watched())

    composed("a" + "".join(sign * 500 for sign in signs))

    given = seen[-1]
    assert len(given) > 500 and all(unicodedata.normalize("NFD", sign) == sign for sign in given)
    assert not any(0 < unicodedata.combining(b) < unicodedata.combining(a) for a, b in pairwise(given))
