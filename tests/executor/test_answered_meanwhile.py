"""A refusal is told to a command with a key only after the key was read once more.

Two processes get the same request. One does it while the other has read the keys already and is about to look whether
the product exists: the second must hear the first one's answer, not that the product exists.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import holdfast.executor.transaction
from tests.shop import Shop, founded, shop_in


@pytest.fixture
def two_doors(postgres_url: str) -> Any:
    """One database behind two executors, as two processes have it."""
    facts = founded(postgres_url)
    with shop_in(postgres_url, facts) as one, shop_in(postgres_url, facts) as other:
        yield one, other


def add(shop: Shop, key: str) -> Any:
    """Ask for the product under a key."""
    options: dict[str, Any] = {"key": key, "fingerprint": "f", "render": msgspec.json.encode, "status": 201}
    return shop.holdfast.do(shop.owner, shop.new_product("MUG-1"), **options)


@pytest.mark.parametrize("key", ["same", "another"])
def test_the_key_is_read_once_more_before_a_refusal(
    two_doors: tuple[Shop, Shop], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    first, second = two_doors
    original = holdfast.executor.transaction.load_more
    done: list[Any] = []

    def load_more(session: Any, stock: Any, wants: Any) -> None:
        if (
            not done
        ):  # the second has read its keys; before it looks at the products the first does the same and commits
            done.append(None)
            done[0] = add(first, "same")
        original(session, stock, wants)

    monkeypatch.setattr(holdfast.executor.transaction, "load_more", load_more)
    reply = add(second, key)
    assert done[0].status == 201
    if key == "same":
        assert (reply.replayed, reply.body) == (True, done[0].body)
    else:
        assert reply.answer.code == "ALREADY_EXISTS"
