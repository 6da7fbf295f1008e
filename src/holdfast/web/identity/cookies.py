"""The cookies of a browser, and whether a request comes from our own page.

    session_cookie(token, secure=True, seconds=43_200)   -> "__Host-holdfast_session=hf...; Path=/; ...; Secure"
    session_token(headers, secure=True)                  -> the token, out of the cookie of that name alone
    cookies_of(header)                                   -> {"holdfast_session": "hs_..."}
    same_origin(headers, secure=True)                    -> False for what a page of another site sent along

`secure` says that the browser came by HTTPS. Then the cookies have the prefix `__Host-`: a browser takes them from this
very host alone, over HTTPS, so neither a neighbour in the same domain nor a plain connection can put one in their
place, and a cookie without the prefix is nobody's
(https://www.rfc-editor.org/rfc/rfc6265.html; prefixes: draft-ietf-httpbis-rfc6265bis, section 4.1.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

SESSION_SECONDS = 12 * 3600
"""How long a browser session lasts where the settings do not say."""

SESSION_COOKIE = "holdfast_session"
DEVICE_COOKIE = "holdfast_device_"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

PREFIX = "__Host-"
VALUE_MAX = 200
"""Most characters of a cookie's value: what is longer is no token of ours."""


def cookie_name(name: str, *, secure: bool) -> str:
    """The name that a cookie has on the way."""
    return PREFIX + name if secure else name


def cookie(name: str, value: str, *, secure: bool, seconds: int, same_site: Literal["Lax", "Strict"] = "Lax") -> str:
    """The Set-Cookie value that gives a browser a cookie for so many seconds; none ends it."""
    tail = f"SameSite={same_site}{'; Secure' if secure else ''}"
    return f"{cookie_name(name, secure=secure)}={value}; Path=/; Max-Age={seconds}; HttpOnly; {tail}"


def session_cookie(token: str | None, *, secure: bool, seconds: int = SESSION_SECONDS) -> str:
    """The Set-Cookie value that begins a browser session of so many seconds, or ends it (`token` None)."""
    return cookie(SESSION_COOKIE, token or "", secure=secure, seconds=0 if token is None else seconds)


def cookies_of(header: bytes) -> dict[str, str]:
    """The cookies of a cookie header, by name: the first of each, none that is longer than one of ours.

    Values come as they were sent. Nothing is taken out of quotes: the standard library's parser of quoted values needs
    time with the square of their length, and no cookie of ours has quotes.
    """
    found: dict[str, str] = {}
    for part in header.split(b";"):
        name, _, value = part.strip().partition(b"=")
        if 0 < len(value) <= VALUE_MAX:
            found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


def session_token(headers: Mapping[bytes, bytes], *, secure: bool) -> str | None:
    """The session token of the cookie header."""
    return cookies_of(headers.get(b"cookie", b"")).get(cookie_name(SESSION_COOKIE, secure=secure))


def may_be_sent(headers: Mapping[bytes, bytes], method: str, *, secure: bool) -> bool:
    """May a request with that method act by the cookies that came along? Only from our own page, where it changes
    something. What only reads may come without a word of where from, and never with the word that it was elsewhere."""
    if method not in SAFE_METHODS:
        return same_origin(headers, secure=secure)
    return headers.get(b"sec-fetch-site") in (None, b"same-origin", b"none")


def same_origin(headers: Mapping[bytes, bytes], *, secure: bool) -> bool:
    """Was the request made by our own page, or typed in? Browsers say so in headers that pages cannot set; scheme, host
    and port have to be ours (https://www.rfc-editor.org/rfc/rfc6454.html)."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin", b"")
    host = headers.get(b"host", b"")
    return bool(host) and origin == (b"https://" if secure else b"http://") + host
