"""A request that is sent again: its Idempotency-Key, what makes two requests the same, and the one answer that a till
gets again after its session has ended.

Closing a drawer ends the token that closes it. When the answer is lost, the till asks again with a dead token: it gets
the report that was kept for its key, byte for byte the same request of that very session, and nothing else ever.

What is kept of a request is a quick hash, so no secret that can be tried through is in it: a PIN would be found in a
second. Two requests that differ in a password or PIN alone are the same. Where it matters whose secret it was, the plan
says what it came to (`PlannedCommand.means`), which is another request for another user: a replay is told to nobody who
does not know the PIN.
"""

from __future__ import annotations

import hashlib
from decimal import InvalidOperation

import msgspec

from holdfast.access import Actor
from holdfast.core.fingerprint import KEY_WORDS, is_key
from holdfast.core.records.learned_type import learned
from holdfast.db.engine import Database
from holdfast.db.idempotency import SaidAnswer, kept_answer
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import Route
from holdfast.web.http.secret_fields import secret_fields
from holdfast.web.http.strict_json import canonical

SECRET = msgspec.Raw(b'"(secret)"')
"""Stands for a secret in what is hashed."""

_FIELDS = msgspec.json.Decoder(learned(dict[str, msgspec.Raw]))
_encode = msgspec.json.Encoder(order="sorted").encode


def idempotency_key(headers: dict[bytes, bytes]) -> str | None:
    """The request's key, if it has one."""
    key = headers.get(b"idempotency-key")
    if key is None:
        return None
    text = key.decode("latin-1")
    if not is_key(text):
        raise invalid("Idempotency-Key", KEY_WORDS)
    return text


def fingerprint(
    method: str,
    path: str,
    actor: Actor,
    raw: bytes,
    *,
    of_session: bool = False,
    secrets: frozenset[str] = frozenset(),
) -> str:
    """What makes two requests the same: method, path, and the JSON whatever way it is written, without its `secrets`.

    Who is limited to stores does not hear what others were answered. Where the path means the actor's register session
    (`of_session`), the path of another session is another path.
    """
    whose = path if not actor.stores else f"{path} {' '.join(sorted(actor.stores))}"
    if of_session:
        whose = f"{whose} {actor.session_id}"
    said = _without(secrets, canonical(raw)) if secrets else canonical(raw)
    return hashlib.sha256(b"%b %b\n%b" % (method.encode(), whose.encode("utf-8", "surrogatepass"), said)).hexdigest()


def fingerprint_of(route: Route, path: str, actor: Actor, raw: bytes) -> str:
    """The fingerprint of a request of the route."""
    if route.takes:
        raw = b'"%b"' % hashlib.sha256(raw).hexdigest().encode()
    secrets = secret_fields(route.body)
    return fingerprint(route.method, path, actor, raw, of_session=route.ends_till, secrets=secrets)


def with_meaning(fingerprint: str, means: str) -> str:
    """The fingerprint of a request whose secret came to `means`; as it was where it came to nothing."""
    return hashlib.sha256(f"{fingerprint} {means}".encode()).hexdigest() if means else fingerprint


def _without(secrets: frozenset[str], document: bytes) -> bytes:
    """The JSON object with SECRET for each of the secrets; null, which takes one away, stays."""
    fields = _FIELDS.decode(document)
    return _encode(
        {name: SECRET if name in secrets and bytes(value) != b"null" else value for name, value in fields.items()}
    )


def said_to_ended_session(
    database: Database, actor: Actor, key: str, method: str, path: str, raw: bytes
) -> SaidAnswer | None:
    """What was answered to the same request of the actor's register session; it blocks."""
    try:
        said = fingerprint(method, path, actor, raw, of_session=True)
    except (ValueError, InvalidOperation, RecursionError):  # no JSON: nothing was answered to it
        return None
    kept = kept_answer(database, actor.org_id, key)
    return kept if kept is not None and kept.fingerprint == said else None
