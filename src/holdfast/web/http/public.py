"""Addresses for everybody: what is answered without a key.

Public("healthz", healthz, blocks=False)      -> named so in the metrics, answered on the event loop
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.web.http.serving import Serving


class PublicAnswer(msgspec.Struct, frozen=True):
    """A response that anybody may have."""

    status: int
    body: bytes
    media_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Public(msgspec.Struct, frozen=True):
    """A public address: its name in the metrics, and what answers: in a thread where it `blocks`."""

    name: str
    answer: Callable[[Serving], PublicAnswer]
    blocks: bool = True
