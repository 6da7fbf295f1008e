"""Which fields of a body are secrets: told by their types, so that a route need not remember to say it.

    secret_fields(UserBody)         -> {"password", "pin"}
    secret_fields(ReceiptBody)      -> {}

A secret that people choose is found by trying, so it enters no quick hash: what is kept for an Idempotency-Key is told
without it (`repeated`). A new type of secret is added to TYPES; a test asks every field of every route that is called
like one.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_args, get_type_hints

from holdfast.web.api.own import Password, Pin, Present

TYPES: tuple[Any, ...] = (Password, Present, Pin)
"""The types of what people choose and nobody else may know."""


def secret_fields(body: type[Any]) -> frozenset[str]:
    """The names of the body's own fields that may hold a secret."""
    return _found(body)  # type: ignore[arg-type] # every type can be hashed


@cache
def _found(body: type[Any]) -> frozenset[str]:
    hints = get_type_hints(body, include_extras=True)
    return frozenset(name for name, kind in hints.items() if any(one in TYPES for one in (kind, *get_args(kind))))
