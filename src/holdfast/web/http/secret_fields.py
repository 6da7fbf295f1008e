"""Which fields of a body are secrets: told by their types, so that a route need not remember to say it.

    Pin = Annotated[str, Meta(pattern="^[0-9]{4,8}$", extra=SECRET)]
    secret_fields(UserBody)         -> {"password", "pin"}
    secret_fields(ReceiptBody)      -> {}
    tells_secret(NewKeyDocument)    -> True: it has a field that is called like one

A secret that people choose is found by trying, so it enters no quick hash: what is kept for an Idempotency-Key is told
without it (`idempotency`). A test asks every field of every route that is called like one.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_args, get_type_hints

from msgspec import Meta

SECRET: dict[str, Any] = {"secret": True}
"""What the Meta of a type says (`extra`) whose values people choose and nobody else may know."""


def secret_fields(body: type[Any]) -> frozenset[str]:
    """The names of the body's own fields that may hold a secret."""
    return _found(body)  # type: ignore[arg-type] # every type can be hashed


TOLD = frozenset({"api_key", "token", "secret"})
"""What an answer calls a secret that it tells once."""


def tells_secret(answer: Any) -> bool:
    """Does an answer of that type tell a secret, whichever of several types it is?"""
    kinds = answer if isinstance(answer, tuple | list) else (answer,)
    return any(not TOLD.isdisjoint(getattr(kind, "__struct_fields__", ())) for kind in kinds)


@cache
def _found(body: type[Any]) -> frozenset[str]:
    hints = get_type_hints(body, include_extras=True)
    return frozenset(name for name, kind in hints.items() if any(map(_is_secret, (kind, *get_args(kind)))))


def _is_secret(kind: Any) -> bool:
    marks = getattr(kind, "__metadata__", ())
    return any(isinstance(mark, Meta) and (mark.extra or {}).get("secret", False) for mark in marks)
