"""The types that msgspec knows: each is learned by one thread, before any thread uses it.

    msgspec.convert(fields, learned(Product))      -> the product
    msgspec.json.Decoder(learned(Product))         -> its decoder

msgspec learns a Struct when it first converts or decodes to it. While one thread is in the middle of that, another one
reads what is half written, and the process ends with a segmentation fault
(docs/decisions/0051-one-thread-teaches-msgspec-a-type.md). Every type therefore passes here first.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any, TypeVar

import msgspec

Kind = TypeVar("Kind")

_LEARNING = threading.Lock()
_known: set[Any] = set()


def learned(kind: Kind) -> Kind:
    """The type itself, once msgspec knows it; TypeError when it is none that msgspec can know."""
    if kind not in _known:
        # Two threads may come here for one type: the second waits, and finds everything learned.
        with _LEARNING, contextlib.suppress(msgspec.ValidationError):
            msgspec.convert(None, kind)
        _known.add(kind)
    return kind
