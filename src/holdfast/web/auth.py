"""Who asks: API keys, browser sessions, tills, and how many requests they may make (SPEC sections 7 and 9).

    Authorization: Bearer hf_...     -> the key's Actor, "key:<name>"
    Cookie: holdfast_session=...     -> the user's Actor, "user:<email>"; unsafe methods only from our own pages
    Authorization: Register till_... -> the Actor who opened the register session, in its store alone
      with X-Cashier-Pin: 4711       -> that user's Actor instead; five wrong PINs in a minute lock the till for one

A key is found by its SHA-256 and remembered for half a second, an unknown one too: a revoked key or a closed session is
dead everywhere within a second, and a flood of one key costs two queries a second. Wrong PINs are never remembered. It
refuses a cookie that another site's page sent along (CSRF), and says the same of a wrong password as of an unknown
email address, in about the same time.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

from holdfast.access import Actor, Role
from holdfast.db import directory
from holdfast.db.engine import Database
from holdfast.organisation import key_hash as sha256
from holdfast.organisation import password_hash
from holdfast.web.problems import RATE_LIMITED, UNAUTHORIZED, Problem

REMEMBERED_SECONDS = 0.5
"""How long a process trusts what it read about a key, a session or a store."""

REMEMBERED_MAX = 10_000
"""Most keys, sessions and stores that a process remembers."""

SESSION_SECONDS = 12 * 3600
"""How long a browser session lasts where the settings do not say."""

LOGINS_PER_MINUTE = 10
"""Most login attempts a minute for one email address, and for one client address ten times that."""

COOKIE = "holdfast_session"

TILL_PREFIX = "till_"
TILL_BYTES = 32
"""Random bytes of a register session's token: 43 characters of URL-safe base64."""

_MICROSECONDS = 1_000_000
_PASSWORDS = PasswordHash.recommended()
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Holdfast"'}
_TILL_CHALLENGE = {"WWW-Authenticate": 'Register realm="Holdfast"'}
_PIN = re.compile(rb"[0-9]{4,8}")


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who asks, and how many requests a minute the organisation allows its keys (None: any number)."""

    actor: Actor
    rate_limit: int | None = None


def hash_pin(org_id: str, pin: str) -> str:
    """The hash of a cashier's PIN: the same within an organisation, so that it can be found and kept unique."""
    salt = f"holdfast-pin:{org_id}".encode()
    return hashlib.scrypt(pin.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32).hex()


def new_till_token() -> tuple[str, str]:
    """A new token of a register session, and its SHA-256, which alone is kept."""
    token = TILL_PREFIX + secrets.token_urlsafe(TILL_BYTES)
    return token, sha256(token)


def cashier_of(database: Database, org_id: str, register_id: str, pin_hash: str) -> directory.UserRow:
    """The user of a PIN entered at a register; it blocks. 401 when there is none, 429 while the till is locked."""
    entered = directory.enter_pin(database, org_id, register_id, pin_hash, time.time_ns() // 1000)
    if entered.locked_until:
        raise till_locked(entered.locked_until)
    if entered.user is None:
        raise wrong_pin()
    return entered.user


class Remembered:
    """What lookups answered, for half a second each, None included; several askers at once share one lookup."""

    def __init__(self, look_up: Callable[[Any], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[Any, tuple[float, Any]] = {}
        self._asked: dict[Any, asyncio.Task[Any]] = {}

    async def get(self, name: Any) -> Any:
        """What the lookup of `name` answers, at most half a second old."""
        known = self._known.get(name)
        if known is not None and self._clock() < known[0]:
            return known[1]
        task = self._asked.get(name)
        if task is None:
            task = asyncio.ensure_future(self._ask(name))
            self._asked[name] = task
            task.add_done_callback(lambda _: self._asked.pop(name, None))
        return await asyncio.shield(task)

    async def _ask(self, name: Any) -> Any:
        asked_at = self._clock()  # before the read: what it answers may be as old as that
        answer = await asyncio.get_running_loop().run_in_executor(None, self._look_up, name)
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[name] = (asked_at + REMEMBERED_SECONDS, answer)
        return answer

    def forget(self, name: Any) -> None:
        """Look again next time."""
        self._known.pop(name, None)

    def forget_all(self) -> None:
        """Look at everything again."""
        self._known.clear()


class Auth:
    """Finds out who asks, and keeps browser sessions."""

    def __init__(self, database: Database, session_seconds: int = SESSION_SECONDS) -> None:
        self._database = database
        self._session_seconds = session_seconds
        self._keys = Remembered(self._identity_of_key)
        self._sessions = Remembered(self._identity_of_session)
        self._tills = Remembered(lambda token_hash: directory.till_of(database, token_hash))
        self._ended_tills = Remembered(lambda token_hash: directory.till_of(database, token_hash, "closed"))
        self._cashiers = Remembered(lambda name: cashier_of(database, *name))
        # A PIN's hash takes 50 ms; which PIN it was is not kept, not even here.
        self._pin_hashes: dict[bytes, str] = {}
        self._pin_secret = secrets.token_bytes(32)
        self._attempts = MovingWindowRateLimiter(MemoryStorage())
        self._requests = FixedWindowRateLimiter(MemoryStorage())
        # What an unknown email address is compared with, so that it takes as long as a wrong password.
        self._nobody = password_hash(secrets.token_urlsafe(16))

    # Requests ------------------------------------------------------------------------------------------------------

    async def identify(self, headers: dict[bytes, bytes], method: str, *, counted: bool = True) -> Identity:
        """Who sent these headers; 401 when nobody known did, 403 when a page of another site sent a cookie along."""
        given = headers.get(b"authorization")
        if given is not None:
            scheme, _, token = given.partition(b" ")
            if scheme.lower() == b"register":
                return Identity(await self._at_till(self._tills, token.strip(), headers.get(b"x-cashier-pin")))
            if scheme.lower() != b"bearer" or not 0 < len(token) <= 200:
                raise unauthorized("This needs an API key: Authorization: Bearer hf_...")
            identity = await self._keys.get(hashlib.sha256(token.strip()).hexdigest())
            if identity is None:
                raise unauthorized("The API key is not valid.")
            if counted and identity.rate_limit is not None:
                self._count(identity.rate_limit, identity.actor.org_id)
            return identity  # type: ignore[no-any-return] # what _identity_of_key returned
        token_text = session_token(headers)
        if token_text is None:
            raise unauthorized("This needs an API key (Authorization: Bearer hf_...) or a login.")
        identity = await self._sessions.get(sha256(token_text))
        if identity is None:
            raise unauthorized("The login has ended.")
        if method not in _SAFE and not same_origin(headers):
            raise Problem("FORBIDDEN", "The request comes from a page of another site.")
        return identity  # type: ignore[no-any-return] # what _identity_of_session returned

    async def at_ended_till(self, headers: dict[bytes, bytes]) -> Actor | None:
        """Who acted at the till whose closed session the token is of; they may do nothing there any more."""
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"register":
            return None
        return await self._at_till(self._ended_tills, token.strip(), headers.get(b"x-cashier-pin"))

    async def _at_till(self, tills: Remembered, token: bytes, pin: bytes | None) -> Actor:
        """Who acts at the till with that token: the user of the PIN, or else who opened the session."""
        token_hash = hashlib.sha256(token).hexdigest()
        till: directory.TillRow | None = await tills.get(token_hash) if len(token) <= 200 else None
        if till is None:
            raise till_not_open()
        if till.locked_until > time.time_ns() // 1000:
            raise till_locked(till.locked_until)
        if pin is None:
            who: directory.Opener | None = till.opener
            if who is None:
                detail = "Who opened the register session may not act any more: a cashier's PIN is needed."
                raise Problem(UNAUTHORIZED, detail, headers=_TILL_CHALLENGE)
        else:
            who = await self._cashier(till, token_hash, pin)
        if who.stores and till.store_id not in who.stores:
            raise Problem("FORBIDDEN", "You may not act in the store of this register.")
        return Actor(till.org_id, who.name, Role(who.role), (till.store_id,), till.session_id, who.id)

    def forget_tills(self) -> None:
        """Look at every till again: a session was opened or closed here."""
        self._tills.forget_all()
        self._ended_tills.forget_all()

    async def _cashier(self, till: directory.TillRow, token_hash: str, pin: bytes) -> directory.Opener:
        name = (till.org_id, till.register_id, await self._pin_hash(till.org_id, pin))
        try:
            user: directory.UserRow = await self._cashiers.get(name)
        except Problem:
            self._tills.forget(token_hash)  # it may be locked now
            raise
        return directory.Opener(user.id, user.name, user.role, user.stores)

    async def _pin_hash(self, org_id: str, pin: bytes) -> str:
        """The PIN's hash; what cannot be one has none that anybody could have."""
        if not _PIN.fullmatch(pin):
            return ""
        mark = hashlib.blake2b(org_id.encode() + pin, key=self._pin_secret).digest()
        known = self._pin_hashes.get(mark)
        if known is None:
            known = await asyncio.get_running_loop().run_in_executor(None, hash_pin, org_id, pin.decode())
            if len(self._pin_hashes) >= REMEMBERED_MAX:
                self._pin_hashes.clear()
            self._pin_hashes[mark] = known
        return known

    async def actor_of(self, headers: dict[bytes, bytes], method: str = "GET") -> Actor | None:
        """Who sent these headers, or None; for pages, which send the unknown to the login."""
        try:
            return (await self.identify(headers, method, counted=False)).actor
        except Problem as problem:
            if problem.code == UNAUTHORIZED:
                return None
            raise

    def _count(self, limit: int, org_id: str) -> None:
        item = RateLimitItemPerMinute(limit)
        if not self._requests.hit(item, org_id):
            reset = self._requests.get_window_stats(item, org_id).reset_time
            raise rate_limited(f"The organisation allows {limit} requests a minute.", reset)

    def _identity_of_key(self, key_hash: str) -> Identity | None:
        row = directory.key_of(self._database, key_hash)
        if row is None:
            return None
        actor = Actor(row.org_id, f"key:{row.name}"[:200], Role(row.role), row.stores, id=row.id)
        return Identity(actor, row.rate_limit)

    def _identity_of_session(self, token_hash: str) -> Identity | None:
        user = directory.session_of(self._database, token_hash, time.time_ns() // 1000)
        if user is None:
            return None
        return Identity(Actor(user.org_id, user.name, Role(user.role), user.stores, id=user.id))

    # Browser sessions ----------------------------------------------------------------------------------------------

    def login(self, email: str, password: str, *, address: str = "") -> str | None:
        """The token of a new browser session, or None when email and password do not belong together.

        It blocks (Argon2, two queries): call it in a thread. Raises Problem RATE_LIMITED after too many attempts.
        """
        email = email.strip().lower()
        for item, name in (
            (RateLimitItemPerMinute(LOGINS_PER_MINUTE), f"email:{sha256(email)}"),
            (RateLimitItemPerMinute(10 * LOGINS_PER_MINUTE), f"address:{address}"),
        ):
            if not self._attempts.hit(item, name):
                raise rate_limited(
                    "Too many attempts to log in.", self._attempts.get_window_stats(item, name).reset_time
                )
        users = directory.users_of(self._database, email)
        if not users:
            _verify(password, self._nobody)
            return None
        user = next((one for one in users if _verify(password, one.password_hash)), None)
        if user is None:
            return None
        token = secrets.token_urlsafe(32)
        now = time.time_ns() // 1000
        directory.begin_session(self._database, sha256(token), user, now, now + self._session_seconds * _MICROSECONDS)
        return token

    def logout(self, token: str) -> None:
        """End a browser session; it blocks."""
        directory.end_session(self._database, sha256(token))
        self._sessions.forget(sha256(token))


def _verify(password: str, password_hash: str) -> bool:
    try:
        return _PASSWORDS.verify(password, password_hash)
    except (UnknownHashError, UnicodeEncodeError):  # no password was set, or a text with lone surrogates
        return False


def unauthorized(detail: str) -> Problem:
    """Who asks is not known."""
    return Problem(UNAUTHORIZED, detail, headers=_CHALLENGE)


def till_not_open() -> Problem:
    """The token is that of no open register session."""
    return Problem(UNAUTHORIZED, "The register session is not open.", headers=_TILL_CHALLENGE)


def wrong_pin() -> Problem:
    """Nobody has that PIN."""
    return Problem(UNAUTHORIZED, "The PIN is wrong.", headers=_TILL_CHALLENGE)


def till_locked(until: int) -> Problem:
    """Too many wrong PINs at a till; `until` in microseconds since 1970."""
    return rate_limited("Too many wrong PINs: the till is locked for a minute.", until / _MICROSECONDS)


def rate_limited(detail: str, reset_time: float) -> Problem:
    """Too many requests; `reset_time` is when there may be more, in seconds since 1970."""
    wait = max(1, round(reset_time - time.time() + 0.5))
    return Problem(RATE_LIMITED, detail, numbers={"retry_after": wait}, headers={"Retry-After": str(wait)})


def session_token(headers: dict[bytes, bytes]) -> str | None:
    """The session token of the cookie header."""
    for part in headers.get(b"cookie", b"").split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name == COOKIE.encode() and 0 < len(value) <= 200:
            return value.decode("latin-1")
    return None


def session_cookie(token: str | None, *, secure: bool, seconds: int = SESSION_SECONDS) -> str:
    """The Set-Cookie value that begins a browser session of so many seconds, or ends it (`token` None)."""
    age = seconds if token is not None else 0
    tail = "; Secure" if secure else ""
    return f"{COOKIE}={token or ''}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{tail}"


def same_origin(headers: dict[bytes, bytes]) -> bool:
    """Was the request made by our own page, or typed in? Browsers say so in headers that pages cannot set."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin", b"")
    host = headers.get(b"host", b"")
    return bool(host) and origin.partition(b"://")[2] == host
