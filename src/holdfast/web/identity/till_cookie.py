"""The cookie that makes a browser a till: the token of its register session, and which cashier is at it.

    till_cookie(token, secure=True)                            -> the Set-Cookie value: who opened the session acts
    till_cookie(token, secure=True, cashier=PinMark(...))       -> the cashier of that mark acts
    shown = shown_till(headers, secure=True)                   -> ShownTill(token, user_id, since, mark), or None
    is_mark(shown, pin_hash, now)                              -> did that user enter their PIN here, not long ago?

The value is the token, or `token.user.seconds.mark`. The mark is an HMAC of the rest with the hash of the user's PIN:
there is no key to keep, nobody outside can make one, it is good for one register session alone, and a new PIN ends it.
The cookie is `HttpOnly`, so no script reads it, and `SameSite=Strict`, so no page of another site sends it along
(https://www.rfc-editor.org/rfc/rfc6265.html; SameSite: draft-ietf-httpbis-rfc6265bis, section 5.6.7). It refuses to say
who acts: `auth` asks whether session and user are still there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

from holdfast.core.records.text import uuid_text
from holdfast.web.identity.cookies import cookie, cookie_name, cookies_of

TILL_COOKIE = "holdfast_till"

TILL_SECONDS = 30 * 24 * 3600
"""How long a browser keeps it: a session has no end of its own, and closing it takes the cookie away."""

CASHIER_IDLE_SECONDS = 600
"""How long a cashier may do nothing before their PIN is asked for again."""

RENEW_SECONDS = 60
"""A mark of at least this age is made anew by the next change that its cashier makes."""

SKEW_SECONDS = 60
"""How far ahead the clock of the process may be that made a mark."""


class PinMark(NamedTuple):
    """Who entered their PIN: the user, the hash of that PIN as it is kept, and when (seconds since 1970)."""

    user_id: str
    pin_hash: str
    since: int


class ShownTill(NamedTuple):
    """What a browser shows: a token and, where a cashier took over, who, since when, and the mark to prove it."""

    token: bytes
    user_id: str | None = None
    since: int = 0
    mark: str = ""


def till_cookie(token: str, *, secure: bool, cashier: PinMark | None = None) -> str:
    """The Set-Cookie value that makes a browser the till of a session, with a cashier at it or none."""
    value = token
    if cashier is not None:
        mark = _mark(token.encode(), cashier.user_id, cashier.since, cashier.pin_hash)
        value = f"{token}.{cashier.user_id}.{cashier.since}.{mark}"
    return cookie(TILL_COOKIE, value, secure=secure, seconds=TILL_SECONDS, same_site="Strict")


def no_till_cookie(*, secure: bool) -> str:
    """The Set-Cookie value that takes it away."""
    return cookie(TILL_COOKIE, "", secure=secure, seconds=0, same_site="Strict")


def shown_till(headers: Mapping[bytes, bytes], *, secure: bool) -> ShownTill | None:
    """What the cookie header shows; None where it has no cookie of a till. What is no mark proves nothing."""
    value = cookies_of(headers.get(b"cookie", b"")).get(cookie_name(TILL_COOKIE, secure=secure))
    if value is None:
        return None
    token, *rest = value.split(".")
    if not rest:
        return ShownTill(token.encode("latin-1"))
    if len(rest) != 3 or uuid_text(rest[0]) is None or not (rest[1].isascii() and rest[1].isdigit()):
        return ShownTill(token.encode("latin-1"), "")
    return ShownTill(token.encode("latin-1"), rest[0], int(rest[1]), rest[2])


def is_mark(shown: ShownTill, pin_hash: str | None, now: int) -> bool:
    """Is it the mark of the PIN with that hash, made a short time ago? `now` in seconds since 1970."""
    if shown.user_id is None or pin_hash is None:
        return False
    if not now - CASHIER_IDLE_SECONDS < shown.since <= now + SKEW_SECONDS:
        return False
    made = _mark(shown.token, shown.user_id, shown.since, pin_hash)
    return hmac.compare_digest(made.encode(), shown.mark.encode("latin-1"))


def _mark(token: bytes, user_id: str, since: int, pin_hash: str) -> str:
    said = b"till cashier\n%b\n%b\n%d" % (token, user_id.encode(), since)
    digest = hmac.digest(pin_hash.encode(), said, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
