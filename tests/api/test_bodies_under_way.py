"""Bodies that are under way have a bound for each caller and for the process (docs/how-to/secure.md)."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.access import Actor, Role
from holdfast.web.http import callers
from holdfast.web.http.callers import BYTES_MAX, CALLER_BYTES_MAX, Callers
from holdfast.web.http.problems import RATE_LIMITED, UNAVAILABLE, Problem
from tests.api.conftest import Shop

MEGABYTE = 1024 * 1024


def somebody(number: int) -> Actor:
    return Actor("org", f"key:{number}", Role.STAFF, id=str(number))


def test_a_caller_has_so_many_bytes_under_way_and_all_together_so_many() -> None:
    """What is refused is not counted, and what is answered makes room."""
    known = Callers()
    with known.one_more(somebody(1), CALLER_BYTES_MAX - MEGABYTE):
        with pytest.raises(Problem) as refused, known.one_more(somebody(1), 2 * MEGABYTE):
            pass
        assert refused.value.code == RATE_LIMITED
        with known.one_more(somebody(1), MEGABYTE), known.one_more(somebody(1)):
            pass
    many = [known.one_more(somebody(number), CALLER_BYTES_MAX) for number in range(BYTES_MAX // CALLER_BYTES_MAX)]
    for one in many:
        one.__enter__()
    with pytest.raises(Problem) as refused, known.one_more(somebody(99), 1):
        pass
    assert refused.value.code == UNAVAILABLE
    for one in many:
        one.__exit__()
    with known.one_more(somebody(99), CALLER_BYTES_MAX):
        pass
    assert (known._bytes, known._all_bytes, known._requests) == ({}, 0, {})


@pytest.mark.parametrize("how", ["announced", "in parts"])
def test_a_body_counts_before_it_is_read(shop: Shop, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """One in parts counts as the largest that the route takes."""
    monkeypatch.setattr(callers, "CALLER_BYTES_MAX", 100)
    sent: dict[str, Any] = {"content": b" " * 101} if how == "announced" else {"chunks": [b"{", b"}"]}
    answer = shop.owner.post("/api/v1/products", **sent)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "RATE_LIMITED", "1")
    assert shop.owner.post("/api/v1/products", {"sku": "MUG-1"}).status == 201
