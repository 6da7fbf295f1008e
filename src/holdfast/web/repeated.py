"""A request that is sent again: its Idempotency-Key, what makes two requests the same, and the one answer that is given
again to somebody who is nobody any more.

Closing a drawer ends the token that closes it. When the answer is lost, the till asks again with a dead token: it gets
the report that was kept for its key, byte for byte the same request of that very session, and nothing else ever.
"""

from __future__ import annotations

import hashlib
from decimal import InvalidOperation

from holdfast.access import Actor
from holdfast.core.fingerprint import KEY_WORDS, is_key
from holdfast.db.answers import KeptAnswer, kept_answer
from holdfast.db.engine import Database
from holdfast.web.body import canonical
from holdfast.web.problems import invalid


def idempotency_key(headers: dict[bytes, bytes]) -> str | None:
    """The request's key, if it has one."""
    key = headers.get(b"idempotency-key")
    if key is None:
        return None
    text = key.decode("latin-1")
    if not is_key(text):
        raise invalid("Idempotency-Key", KEY_WORDS)
    return text


def fingerprint(method: str, path: str, actor: Actor, raw: bytes, *, of_session: bool = False) -> str:
    """What makes two requests the same: method, path, and the JSON whatever way it is written.

    Who is limited to stores does not hear what others were answered. Where the path means the actor's register session
    (`of_session`), the path of another session is another path.
    """
    whose = path if not actor.stores else f"{path} {' '.join(sorted(actor.stores))}"
    if of_session:
        whose = f"{whose} {actor.session_id}"
    return hashlib.sha256(
        b"%b %b\n%b" % (method.encode(), whose.encode("utf-8", "surrogatepass"), canonical(raw))
    ).hexdigest()


def said_to_ended_session(
    database: Database, actor: Actor, key: str, method: str, path: str, raw: bytes
) -> KeptAnswer | None:
    """What was answered to the same request of the actor's register session; it blocks."""
    try:
        said = fingerprint(method, path, actor, raw, of_session=True)
    except (ValueError, InvalidOperation, RecursionError):  # no JSON: nothing was answered to it
        return None
    kept = kept_answer(database, actor.org_id, key)
    return kept if kept is not None and kept.fingerprint == said else None
