"""Who asks: API keys, browser sessions, tills, and how many requests they may make (SPEC sections 7 and 9).

    Authorization: Bearer hf_...     -> the key's Actor, "key:<name>"
    Cookie: holdfast_session=...     -> the user's Actor, "user:<email>"; unsafe methods only from our own pages
    Authorization: Register till_... -> the Actor who opened the register session, in its store alone
      with X-Cashier-Pin: 4711       -> that user's Actor instead; five wrong PINs in a minute lock the till for one

A key is found by its SHA-256 in the organisation that it names and remembered for half a second, an unknown one too: a
revoked key or a closed session is dead everywhere within a second, and a flood of one key costs two queries a second.
What can be no key of anybody costs none (`holdfast.tokens`). Wrong PINs are never remembered. It refuses a cookie that
another site's page sent along (CSRF), and says the same of a wrong password as of an unknown email address, in about
the same time.
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

from holdfast.access import Actor, Permission, Role
from holdfast.db import directory
from holdfast.db.engine import Database
from holdfast.organisation import password_hash
from holdfast.tokens import KEY, SESSION, TILL, Sought, new_token, sought
from holdfast.tokens import digest_of as sha256
from holdfast.web.key_limits import CHALLENGE, KeyLimits, WrongAddress, limits_of
from holdfast.web.key_notes import KeyNotes
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

_MICROSECONDS = 1_000_000
_PASSWORDS = PasswordHash.recommended()
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_TILL_CHALLENGE = {"WWW-Authenticate": 'Register realm="Holdfast"'}
_PIN = re.compile(rb"[0-9]{4,8}")


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who asks, how many requests a minute the organisation allows each of its keys (None: any number), and what else
    limits the key."""

    actor: Actor
    rate_limit: int | None = None
    limits: KeyLimits | None = None


def hash_pin(org_id: str, pin: str) -> str:
    """The hash of a cashier's PIN: the same within an organisation, so that it can be found and kept unique."""
    salt = f"holdfast-pin:{org_id}".encode()
    return hashlib.scrypt(pin.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32).hex()


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
        self._tills = Remembered(lambda one: directory.till_of(database, one.digest, one.org_id))
        self._ended_tills = Remembered(lambda one: directory.till_of(database, one.digest, one.org_id, status="closed"))
        self._notes = KeyNotes(database)
        self._cashiers = Remembered(lambda name: cashier_of(database, *name))
        # A PIN's hash takes 50 ms; which PIN it was is not kept, not even here.
        self._pin_hashes: dict[bytes, str] = {}
        self._pin_secret = secrets.token_bytes(32)
        self._attempts = MovingWindowRateLimiter(MemoryStorage())
        self._requests = FixedWindowRateLimiter(MemoryStorage())
        # What an unknown email address is compared with, so that it takes as long as a wrong password.
        self._nobody = password_hash(secrets.token_urlsafe(16))

    # Requests ------------------------------------------------------------------------------------------------------

    async def identify(
        self, headers: dict[bytes, bytes], method: str, *, address: str | None, counted: bool = True
    ) -> Identity:
        """Who sent these headers from this address; 401 when nobody known did, 403 when a page of another site sent a
        cookie along, or a key was sent from where it may not be used."""
        given = headers.get(b"authorization")
        if given is not None:
            scheme, _, token = given.partition(b" ")
            if scheme.lower() == b"register":
                pin = headers.get(b"x-cashier-pin")
                return Identity(await self._at_till(self._tills, token.strip(), pin, address))
            if scheme.lower() != b"bearer" or not 0 < len(token) <= 200:
                raise unauthorized("This needs an API key: Authorization: Bearer hf_...")
            return self._admitted(await self._found(self._keys, KEY, token.strip()), address, counted=counted)
        token_text = session_token(headers)
        if token_text is None:
            raise unauthorized("This needs an API key (Authorization: Bearer hf_...) or a login.")
        identity = await self._found(self._sessions, SESSION, token_text.encode("latin-1"))
        if identity is None:
            raise unauthorized("The login has ended.")
        if method not in _SAFE and not same_origin(headers):
            raise Problem("FORBIDDEN", "The request comes from a page of another site.")
        return identity  # type: ignore[no-any-return] # what _identity_of_session returned

    async def _found(self, remembered: Remembered, kind: str, token: bytes) -> Any:
        """What is known of a token; None when it can be none of that kind."""
        one = sought(kind, token)
        return None if one is None else await remembered.get(one)

    def _admitted(self, identity: Identity | None, address: str | None, *, counted: bool) -> Identity:
        """The identity of a key, if the key may be used now and from there."""
        if identity is None:
            raise unauthorized("The API key is not valid.")
        if identity.limits is not None:
            self._test(identity.limits, identity.actor, address)
        if counted and identity.rate_limit is not None:
            self._count(identity.rate_limit, identity.actor)
        self._notes.used(identity.actor)
        return identity

    def _test(self, limits: KeyLimits, actor: Actor, address: str | None) -> None:
        try:
            limits.check(address, time.time_ns() // 1000)
        except WrongAddress:
            self._notes.refused(actor, address)
            raise

    async def at_ended_till(self, headers: dict[bytes, bytes], address: str | None) -> Actor | None:
        """Who acted at the till whose closed session the token is of; they may do nothing there any more."""
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"register":
            return None
        return await self._at_till(self._ended_tills, token.strip(), headers.get(b"x-cashier-pin"), address)

    async def _at_till(self, tills: Remembered, token: bytes, pin: bytes | None, address: str | None) -> Actor:
        """Who acts at the till with that token: the user of the PIN, or else who opened the session."""
        till: directory.TillRow | None = await self._found(tills, TILL, token)
        if till is None:
            raise till_not_open()
        if till.locked_until > time.time_ns() // 1000:
            raise till_locked(till.locked_until)
        if pin is None:
            who: directory.Opener | None = till.opener
            if who is None or (who.expires_at is not None and who.expires_at <= time.time_ns() // 1000):
                detail = "Who opened the register session may not act any more: a cashier's PIN is needed."
                raise Problem(UNAUTHORIZED, detail, headers=_TILL_CHALLENGE)
        else:
            who = await self._cashier(till, token, pin)
        if who.stores and till.store_id not in who.stores:
            raise Problem("FORBIDDEN", "You may not act in the store of this register.")
        known = _known(who.permissions)
        actor = Actor(till.org_id, who.name, Role(who.role), (till.store_id,), till.session_id, who.id, known)
        limits = None if till.opener is None else limits_of(till.opener.addresses, None)
        if limits is not None:  # what a key has opened is used from where the key is, with a PIN too
            self._test(limits, actor, address)
        return actor

    def forget_tills(self) -> None:
        """Look at every till again: a session was opened or closed here."""
        self._tills.forget_all()
        self._ended_tills.forget_all()

    def close(self) -> None:
        """Write what was noted of keys; it blocks."""
        self._notes.close()

    async def _cashier(self, till: directory.TillRow, token: bytes, pin: bytes) -> directory.Opener:
        name = (till.org_id, till.register_id, await self._pin_hash(till.org_id, pin))
        try:
            user: directory.UserRow = await self._cashiers.get(name)
        except Problem:
            self._tills.forget(sought(TILL, token))  # it may be locked now
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

    async def actor_of(self, headers: dict[bytes, bytes], method: str = "GET", *, address: str | None) -> Actor | None:
        """Who sent these headers, or None; for pages, which send the unknown to the login."""
        try:
            return (await self.identify(headers, method, address=address, counted=False)).actor
        except Problem as problem:
            if problem.code == UNAUTHORIZED:
                return None
            raise

    def _count(self, limit: int, actor: Actor) -> None:
        item = RateLimitItemPerMinute(limit)
        if not self._requests.hit(item, actor.org_id, actor.id):
            reset = self._requests.get_window_stats(item, actor.org_id, actor.id).reset_time
            raise rate_limited(f"The organisation allows each key {limit} requests a minute.", reset)

    def _identity_of_key(self, one: Sought) -> Identity | None:
        row = directory.key_of(self._database, one.digest, one.org_id)
        if row is None:
            return None
        name, known = f"key:{row.name}"[:200], _known(row.permissions)
        actor = Actor(row.org_id, name, Role(row.role), row.stores, id=row.id, permissions=known)
        return Identity(actor, row.rate_limit, limits_of(row.addresses, row.expires_at))

    def _identity_of_session(self, one: Sought) -> Identity | None:
        user = directory.session_of(self._database, one.digest, time.time_ns() // 1000, one.org_id)
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
        token = new_token(SESSION, user.org_id)
        now = time.time_ns() // 1000
        directory.begin_session(self._database, token.digest, user, now, now + self._session_seconds * _MICROSECONDS)
        return token.text

    def logout(self, token: str) -> None:
        """End a browser session; it blocks."""
        one = sought(SESSION, token.encode("latin-1"))
        if one is not None:
            directory.end_session(self._database, one.digest, one.org_id)
            self._sessions.forget(one)


def _known(permissions: tuple[str, ...] | None) -> frozenset[Permission] | None:
    """What a key is narrowed to; a permission that this version does not know is none."""
    return None if permissions is None else frozenset(one for one in Permission if one in permissions)


def _verify(password: str, password_hash: str) -> bool:
    try:
        return _PASSWORDS.verify(password, password_hash)
    except (UnknownHashError, UnicodeEncodeError):  # no password was set, or a text with lone surrogates
        return False


def unauthorized(detail: str) -> Problem:
    """Who asks is not known."""
    return Problem(UNAUTHORIZED, detail, headers=CHALLENGE)


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
