"""An answer as it is kept for its key, and back again: a caller who asks twice hears the same document.

    kept = encode_answer(document)       -> b'{"holdfast.answer":["ReservationDocument",{...}]}'
    decode_answer(kept)                  -> the document again

Every type that a decision answers is known by its name. What was not kept by `encode_answer` (a response that was
rendered for HTTP) is no answer: None.
"""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from holdfast.core.decide import DECISIONS, Refusal
from holdfast.core.records.documents import ReservationDocument
from holdfast.core.records.learned_type import learned

_MARK = b'{"holdfast.answer":'
_LIST = "[]"


def encode_answer(answer: Any) -> bytes:
    """The answer of a command, with the names of its types."""
    return msgspec.json.encode({"holdfast.answer": _named(answer)})


def decode_answer(kept: bytes) -> Any:
    """What `encode_answer` was given; None when it did not make these bytes, or an older version's type is gone."""
    if not kept.startswith(_MARK):
        return None
    try:
        return _found(msgspec.json.decode(kept)["holdfast.answer"])
    except (msgspec.ValidationError, KeyError):
        return None


def _named(answer: Any) -> list[Any]:
    if isinstance(answer, list | tuple):
        return [_LIST, [_named(one) for one in answer]]
    return [type(answer).__name__ if isinstance(answer, msgspec.Struct) else "", answer]


def _found(named: list[Any]) -> Any:
    name, value = named
    if name == _LIST:
        return [_found(one) for one in value]
    return value if not name else msgspec.convert(value, learned(answer_types()[name]))


@cache
def answer_types() -> dict[str, type[msgspec.Struct]]:
    """Every Struct that a decision may answer, by its name."""
    found: set[Any] = {ReservationDocument, Refusal}
    for decision in DECISIONS.values():
        found.update(_structs(get_type_hints(decision.decide)["return"]))
    return {kind.__name__: kind for kind in found}


def _structs(hint: Any) -> set[Any]:
    if get_origin(hint) in (Union, UnionType, list, tuple):
        return set().union(*map(_structs, get_args(hint)))
    return {hint} if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else set()
