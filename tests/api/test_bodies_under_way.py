"""Bodies that are under way have a bound for each caller and for the process (docs/how-to/secure.md)."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.access import Actor, Role
from holdfast.web.http import callers
from holdfast.web.http.callers import BYTES_MAX, CALLER_BYTES_MAX, ORGANISATION_BYTES_MAX, SMALL_BODY, Callers
from holdfast.web.http.problems import RATE_LIMITED, UNAVAILABLE, Problem
from tests.api.conftest import Shop

MEGABYTE = 1024 * 1024


def somebody(number: int, org_id: str = "org") -> Actor:
    return Actor(org_id, f"key:{number}", Role.STAFF, id=str(number))


def test_what_has_come_is_counted_and_what_was_announced_is_not() -> None:
    """A caller, an organisation and the process have so much each; what is refused or answered makes room."""
    known = Callers()
    with known.one_more(somebody(1)) as first, known.one_more(somebody(1)) as second:
        first.grow(CALLER_BYTES_MAX - MEGABYTE)
        with pytest.raises(Problem) as refused:
            second.grow(2 * MEGABYTE)
        assert refused.value.code == RATE_LIMITED
    assert (known._bytes, known._all_bytes, known._requests) == ({}, 0, {})
    ours = [known.one_more(somebody(number)) for number in range(ORGANISATION_BYTES_MAX // CALLER_BYTES_MAX)]
    for one in ours:
        one.__enter__().grow(CALLER_BYTES_MAX)
    with known.one_more(somebody(99)) as late:
        late.grow(SMALL_BODY)
        with pytest.raises(Problem) as refused:
            late.grow(1)
        assert refused.value.code == RATE_LIMITED
    for one in ours:
        one.__exit__()
    many = [known.one_more(somebody(number, f"org-{number}")) for number in range(BYTES_MAX // CALLER_BYTES_MAX)]
    for one in many:
        one.__enter__().grow(CALLER_BYTES_MAX)
    with known.one_more(somebody(1, "another")) as late:
        late.grow(SMALL_BODY)
        with pytest.raises(Problem) as refused:
            late.grow(1)
        assert refused.value.code == UNAVAILABLE
    for one in many:
        one.__exit__()
    assert (known._bytes, known._all_bytes, known._requests) == ({}, 0, {})


def test_a_key_is_one_caller_with_its_tills() -> None:
    """Whoever opens three tills has no more than whoever opens none."""
    key = Actor("org", "key:a", Role.STAFF, id="a", key_id="a")
    till = Actor("org", "user:bo", Role.STAFF, session_id="s", id="bo", key_id="a")
    known = Callers(requests_max=1)
    with known.one_more(key), pytest.raises(Problem), known.one_more(till):
        pass


@pytest.mark.parametrize("how", ["announced", "in parts"])
def test_a_body_is_counted_as_it_comes(shop: Shop, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(callers, "CALLER_BYTES_MAX", SMALL_BODY + 100)
    large = b" " * (SMALL_BODY + 101)
    sent: dict[str, Any] = {"content": large} if how == "announced" else {"chunks": [large[:50], large[50:]]}
    answer = shop.owner.post("/api/v1/products", **sent)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "RATE_LIMITED", "1")
    assert shop.owner.post("/api/v1/products", {"sku": "MUG-1"}).status == 201
