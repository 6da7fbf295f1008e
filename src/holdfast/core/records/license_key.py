"""License keys: what a digital product is delivered with, one for each unit, each to one buyer only.

    EncryptedKey(digests=("5f2c...",), encrypted="hfk1.8Qd...", hint="K7QX")     as it comes into the core
    LicenseKey(status="sold", sale_id=..., line_id=..., ...)                   as it is kept

The core never sees a key: it is encrypted before, and read by whoever may see the sale (`holdfast.encryption`). The
digest tells whether a key is known, the hint shows people which one it is.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from holdfast.core.records.status import LICENSE_KEY, Transitions

KeyStatus = Literal["free", "sold", "blocked"]

KEYS_MAX = 1_000
"""Most license keys of one command, and of one line of a sale."""

HINT_LETTERS = 4
"""So many of the last characters of a key are shown; of a shorter one fewer, never more than half of it."""

_Token = Annotated[str, Meta(min_length=1, max_length=1_000)]


class EncryptedKey(msgspec.Struct, frozen=True, gc=False):
    """A key on its way in. `digests` are keyed hashes of it under each of the secret keys: the first one is kept, each
    may be that of a key that is known."""

    digests: tuple[_Token, ...]
    encrypted: _Token
    hint: str


class LicenseKey(msgspec.Struct, frozen=True, gc=False):
    """A key of a product. `sale_id` and `line_id` say who has it, also when it came back and is blocked."""

    transitions: ClassVar[Transitions] = LICENSE_KEY

    id: str
    product_id: str
    digest: str
    encrypted: str
    hint: str
    status: KeyStatus
    sale_id: str | None
    line_id: str | None
    actor: str
    created_at: int
    updated_at: int
