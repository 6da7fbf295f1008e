"""The mark of a caller: the same for the same one, and nobody can tell from it who that is.

    caller_mark(actor)       -> "3f9a0c55d1e2"
    caller_header(actor)     -> the header that says so of a stream, or of a list that stands for one

A page knows by it whether a stream is still of the person for whom it was made. It is no secret and proves nothing.
"""

from __future__ import annotations

import hashlib

from holdfast.access import Actor

DIGITS = 12


def caller_mark(actor: Actor) -> str:
    """Twelve hexadecimal digits: of the register session at a till, of the user or key everywhere else."""
    whose = actor.session_id or actor.id or actor.name
    return hashlib.sha256(f"holdfast-caller:{actor.org_id}:{whose}".encode()).hexdigest()[:DIGITS]


def caller_header(actor: Actor) -> tuple[bytes, bytes]:
    """The header that says for whom events are told: a page hears by it that somebody else has signed in."""
    return b"holdfast-caller", caller_mark(actor).encode()
