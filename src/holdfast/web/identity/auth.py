"""Who asks: API keys, browser sessions, tills, and how many requests they may make.

    Authorization: Bearer hf_...     -> the key's Actor, "key:<name>"
    Cookie: holdfast_session=...     -> the user's Actor, "user:<email>"; unsafe methods only from our own pages
    Authorization: Register till_... -> the Actor who opened the register session, in its store alone
      with X-Cashier-Pin: 4711       -> that user's Actor instead; wrong PINs lock (`cashiers`)
    Authorization: Register, and Cookie: holdfast_till=... -> the same, for a browser that is a till (`till_cookie`)

A key is found by its SHA-256 in the organisation that it names and remembered for half a second, an unknown one too: a
revoked key or a closed session is dead everywhere within a second, and a flood of one key costs two queries a second.
What can be no key of anybody costs none (`holdfast.tokens`). Wrong PINs are never remembered. It refuses a cookie that
another site's page sent along (CSRF). How a session begins is told in `sign_in`.

See docs/how-to/sell.md and docs/reference/api.md#permissions.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from holdfast.access import Actor, Permission, Role
from holdfast.app import Holdfast
from holdfast.core.organisation.sign_in import NoteSecurity
from holdfast.db import browser_sessions
from holdfast.db import credentials as directory
from holdfast.db.cashiers import Candidate, Entry, cashier_of, is_locked
from holdfast.db.engine import Database
from holdfast.tokens import KEY, SESSION, TILL, Sought, sought
from holdfast.web.http.problems import RATE_LIMITED, UNAUTHORIZED, Problem
from holdfast.web.identity.cashiers import TILL_CHALLENGE, Cashiers, locked
from holdfast.web.identity.cookies import SAFE_METHODS, SESSION_SECONDS, may_be_sent, same_origin, session_token
from holdfast.web.identity.hashing import Hashing, Place
from holdfast.web.identity.key_limits import CHALLENGE, KeyLimits, WrongAddress, limits_of
from holdfast.web.identity.key_notes import KeyNotes
from holdfast.web.identity.security_log import Origin, SecurityLog
from holdfast.web.identity.sign_in import SignIn
from holdfast.web.identity.till_cookie import RENEW_SECONDS, PinMark, ShownTill, is_mark, shown_till, till_cookie

REMEMBERED_SECONDS = 0.5
"""How long a process trusts what it read about a key, a session or a store."""

REMEMBERED_MAX = 10_000
"""Most keys, sessions and stores that a process remembers."""

IDLE_SECONDS = 2 * 3600
"""How long a browser session lasts unused where the settings do not say."""

PINS_AT_ONCE = 4
"""PINs that a process looks for at a time."""

PINS_QUEUE_MAX = 40
"""Most PINs that wait to be looked for."""

CALLER_PINS_MAX = 10
"""Most of them that are of one key, user or till."""

TOUCH_SECONDS = 60
"""How often it is written down that a session is used."""

_MICROSECONDS = 1_000_000
_PIN = re.compile(rb"[0-9]{4,8}")


NOWHERE = Origin()


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who asks, how many requests a minute the organisation allows each of its keys (None: any number), and what else
    limits the key."""

    actor: Actor
    rate_limit: int | None = None
    limits: KeyLimits | None = None
    session: str = ""
    """The SHA-256 of the browser session's token; empty for other callers."""

    till: ShownTill | None = None
    """The till that the browser's cookie shows; None where the token came otherwise, or nobody is at a till."""

    renewed: str = ""
    """The Set-Cookie value that makes the mark of a cashier anew, where it is time."""


class PinTry:
    """A PIN on its way: known by its mark, without the PIN as soon as it was looked for."""

    __slots__ = ("actor", "entry", "mark", "origin", "pin")

    def __init__(self, entry: Entry, mark: bytes, pin: str, actor: str, origin: Origin) -> None:
        self.entry = entry
        self.mark = mark
        self.pin = pin
        self.actor = actor
        self.origin = origin

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PinTry) and (self.entry, self.mark) == (other.entry, other.mark)

    def __hash__(self) -> int:
        return hash((self.entry, self.mark))


class Lookups:
    """What lookups answered, for half a second each, None included; several askers at once share one lookup.

    They run in the loop's own threads, or as `run` says.
    """

    def __init__(
        self,
        look_up: Callable[[Any], Any],
        clock: Callable[[], float] = time.monotonic,
        *,
        run: Callable[[Any], Awaitable[Any]] | None = None,
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._run = run or self._in_thread
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
        answer = await self._run(name)
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[name] = (asked_at + REMEMBERED_SECONDS, answer)
        return answer

    async def _in_thread(self, name: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, self._look_up, name)

    def forget(self, name: Any) -> None:
        """Look again next time."""
        self._known.pop(name, None)

    def forget_all(self) -> None:
        """Look at everything again."""
        self._known.clear()


class Auth:
    """Finds out who asks, and keeps browser sessions."""

    def __init__(
        self, shop: Holdfast, session_seconds: int = SESSION_SECONDS, idle_seconds: int = IDLE_SECONDS
    ) -> None:
        database = self._database = shop.database
        self.idle = idle_seconds * _MICROSECONDS
        self.log = SecurityLog(shop.executor)
        self.hashing = Hashing()
        self.pins = Hashing(PINS_AT_ONCE, PINS_QUEUE_MAX, CALLER_PINS_MAX)
        self.sign_in = SignIn(database, self.log, session_seconds)
        self.cashiers = Cashiers(database, shop.executor, self.log)
        self._keys = Lookups(lambda one: _identity_of_key(database, one))
        self._sessions = Lookups(self._identity_of_session)
        self._tills = Lookups(lambda one: directory.till_of(database, one.digest, one.org_id))
        self._ended_tills = Lookups(lambda one: directory.till_of(database, one.digest, one.org_id, status="closed"))
        self._marked = Lookups(lambda one: cashier_of(database, *one))
        self._notes = KeyNotes(database)
        self._cashiers = Lookups(self._look_up_cashier, run=self._find_cashier)
        self._requests = FixedWindowRateLimiter(MemoryStorage())

    # Requests ------------------------------------------------------------------------------------------------------

    async def identify(
        self,
        headers: dict[bytes, bytes],
        method: str,
        *,
        origin: Origin,
        counted: bool = True,
        till: bool = False,
    ) -> Identity:
        """Who sent these headers from there; 401 when nobody known did, 403 when a page of another site sent a cookie
        along, or a key was sent from where it may not be used. Where only a `till` can ask, its cookie is enough."""
        given = headers.get(b"authorization")
        if given is None and till:
            shown = shown_till(headers, secure=origin.secure)
            if shown is not None:
                return await self._at_browser(shown, headers, method, origin)
        if given is not None:
            scheme, _, token = given.partition(b" ")
            if scheme.lower() == b"register":
                pin = headers.get(b"x-cashier-pin")
                if token.strip():
                    return Identity(await self._at_till(token.strip(), pin, origin))
                shown = shown_till(headers, secure=origin.secure)
                if shown is None:
                    raise till_not_open()
                return await self._at_browser(shown, headers, method, origin)
            if scheme.lower() != b"bearer" or not 0 < len(token) <= 200:
                raise unauthorized("This needs an API key: Authorization: Bearer hf_...")
            return self._admitted(await self._found(self._keys, KEY, token.strip()), origin, counted=counted)
        token_text = session_token(headers, secure=origin.secure)
        if token_text is None:
            raise unauthorized("This needs an API key (Authorization: Bearer hf_...) or a login.")
        identity = await self._found(self._sessions, SESSION, token_text.encode("latin-1"))
        if identity is None:
            raise unauthorized("The login has ended.")
        if method not in SAFE_METHODS and not same_origin(headers, secure=origin.secure):
            raise from_elsewhere()
        return identity  # type: ignore[no-any-return] # what _identity_of_session returned

    async def _found(self, remembered: Lookups, kind: str, token: bytes) -> Any:
        """What is known of a token; None when it can be none of that kind."""
        one = sought(kind, token)
        return None if one is None else await remembered.get(one)

    def _admitted(self, identity: Identity | None, origin: Origin, *, counted: bool) -> Identity:
        """The identity of a key, if the key may be used now and from there."""
        if identity is None:
            raise unauthorized("The API key is not valid.")
        if identity.limits is not None:
            self._test(identity.limits, identity.actor, origin)
        if counted and identity.rate_limit is not None:
            self._count(identity.rate_limit, identity.actor)
        self._notes.used(identity.actor)
        return identity

    def _test(self, limits: KeyLimits, actor: Actor, origin: Origin) -> None:
        try:
            limits.check(origin.address, time.time_ns() // 1000)
        except WrongAddress:
            self._notes.refused(actor, origin.address)
            raise

    async def at_ended_till(self, headers: dict[bytes, bytes], origin: Origin) -> Actor | None:
        """The till whose closed session the token is of, to be told again what ended it; it may do nothing any more.

        Nobody's PIN is looked at: a token that is dead must not tell whether one is right, nor lock a till that lives.
        """
        token = _ended_token(headers, origin)
        if token is None:
            return None
        till: directory.TillRow | None = await self._found(self._ended_tills, TILL, token)
        if till is None:
            return None
        actor = Actor(till.org_id, "till", Role.CASHIER, (till.store_id,), till.session_id)
        self._test_till(till, actor, origin)
        return actor

    def _test_till(self, till: directory.TillRow, actor: Actor, origin: Origin) -> None:
        """What a key has opened is used from where the key is, with a PIN too, and when the key is gone."""
        limits = limits_of(till.addresses, None)
        if limits is not None:
            self._test(limits, actor, origin)

    async def _at_browser(self, shown: ShownTill, headers: dict[bytes, bytes], method: str, origin: Origin) -> Identity:
        """Who acts at the till that a browser's cookie shows; 403 when a page of another site sent it along."""
        if not may_be_sent(headers, method, secure=origin.secure):
            raise from_elsewhere()
        pin = headers.get(b"x-cashier-pin")
        actor = await self._at_till(shown.token, pin, origin, shown if pin is None else None)
        renewed = ""
        if pin is None and shown.user_id is not None and method not in SAFE_METHODS:
            renewed = _renewed(shown, await self._marked.get((actor.org_id, shown.user_id)), origin)
        return Identity(actor, till=shown, renewed=renewed)

    async def _at_till(self, token: bytes, pin: bytes | None, origin: Origin, shown: ShownTill | None = None) -> Actor:
        """Who acts at the till with that token: the user of the PIN, the cashier whom a browser's cookie shows, or else
        who opened the session."""
        till: directory.TillRow | None = await self._found(self._tills, TILL, token)
        if till is None:
            raise till_not_open()
        if is_locked(till.locked_until, time.time_ns() // 1000):
            raise locked(till.locked_until)
        who = await self._acting(till, token, pin, origin, shown)
        if any(stores and till.store_id not in stores for stores in (who.stores, till.key_stores)):
            raise Problem("FORBIDDEN", "You may not act in the store of this register.")
        known = _known(till.permissions)
        actor = Actor(
            till.org_id,
            who.name,
            Role(who.role),
            (till.store_id,),
            till.session_id,
            who.id,
            known,
            key_id=till.key_id,
            reads_of=_both(who.stores, till.key_stores),
        )
        self._test_till(till, actor, origin)
        return actor

    async def _acting(
        self, till: directory.TillRow, token: bytes, pin: bytes | None, origin: Origin, shown: ShownTill | None
    ) -> directory.Opener:
        if pin is not None:
            return await self._cashier(till, token, pin, origin)
        if shown is not None and shown.user_id is not None:
            return await self._shown_cashier(till, shown)
        who = till.opener
        if who is None or (who.expires_at is not None and who.expires_at <= time.time_ns() // 1000):
            raise pin_needed("Who opened the register session may not act any more: a cashier's PIN is needed.")
        return who

    async def _shown_cashier(self, till: directory.TillRow, shown: ShownTill) -> directory.Opener:
        """The cashier at a browser's till; whoever opened it does not act for one who was away too long."""
        known: Candidate | None = None
        if shown.user_id:
            known = await self._marked.get((till.org_id, shown.user_id))
        if known is None or not is_mark(shown, known.pin_hash, int(time.time())):
            raise pin_needed("Nobody is at this till for now: a cashier's PIN is needed.")
        user = known.user
        return directory.Opener(user.id, user.name, user.role, user.stores)

    def forget_tills(self) -> None:
        """Look at every till again: a session was opened or closed here."""
        self._tills.forget_all()
        self._ended_tills.forget_all()

    async def _cashier(self, till: directory.TillRow, token: bytes, pin: bytes, origin: Origin) -> directory.Opener:
        caller = till.session_id if till.opener is None else till.opener.id
        name = "unknown" if till.opener is None else till.opener.name
        entry = Entry(till.org_id, till.register_id, caller)
        text = pin.decode() if _PIN.fullmatch(pin) else ""  # what cannot be one is nobody's
        tried = PinTry(entry, self.cashiers.mark(till.org_id, text), text, name, origin)
        try:
            user: directory.UserRow = await self._cashiers.get(tried)
        except Problem:
            self._tills.forget(sought(TILL, token))  # it may be locked now
            raise
        return directory.Opener(user.id, user.name, user.role, user.stores)

    async def _find_cashier(self, tried: PinTry) -> directory.UserRow:
        """Look for a PIN in threads of their own: who floods a till with PINs keeps no key from being looked up."""
        return await self.pins.run(self._look_up_cashier, tried, place=Place((f"caller:{tried.entry.caller}",)))

    def _look_up_cashier(self, tried: PinTry) -> directory.UserRow:
        pin, tried.pin = tried.pin, ""
        return self.cashiers.of(tried.entry, pin, tried.actor, tried.origin)

    async def actor_of(self, headers: dict[bytes, bytes], method: str = "GET", *, origin: Origin) -> Actor | None:
        """Who sent these headers, or None; for pages, which send the unknown to the login."""
        try:
            return (await self.identify(headers, method, origin=origin, counted=False)).actor
        except Problem as problem:
            if problem.code == UNAUTHORIZED:
                return None
            raise

    def _count(self, limit: int, actor: Actor) -> None:
        item = RateLimitItemPerMinute(limit)
        if not self._requests.hit(item, actor.org_id, actor.id):
            reset = self._requests.get_window_stats(item, actor.org_id, actor.id).reset_time
            raise rate_limited(f"The organisation allows each key {limit} requests a minute.", reset)

    def _identity_of_session(self, one: Sought) -> Identity | None:
        now = time.time_ns() // 1000
        found = directory.browser_session_of(self._database, one.digest, now, self.idle, one.org_id)
        if found is None:
            return None
        user, used_at = found
        if not 0 <= now - used_at < TOUCH_SECONDS * _MICROSECONDS:
            browser_sessions.touch(self._database, one.digest, user.org_id, now)
        actor = Actor(user.org_id, user.name, Role(user.role), user.stores, id=user.id)
        return Identity(actor, session=one.digest)

    # Browser sessions ----------------------------------------------------------------------------------------------

    def login(self, email: str, password: str, *, address: str = "") -> str | None:
        """The token of a new browser session, or None when email and password do not belong together; it blocks."""
        entered = self.sign_in.enter(email, password, Origin(address), {})
        return None if entered is None else entered.token

    def logout(self, token: str, origin: Origin = NOWHERE) -> None:
        """End a browser session; it blocks."""
        one = sought(SESSION, token.encode("latin-1"))
        if one is None:
            return
        identity = self._identity_of_session(one)
        directory.end_browser_session(self._database, one.digest, one.org_id)
        self._sessions.forget(one)
        if identity is not None:
            actor = identity.actor
            self.log.note(actor.org_id, actor.name, origin, NoteSecurity("sign_out", "app_user", actor.id))

    def forget_sessions(self, org_id: str, token_hashes: Iterable[str]) -> None:
        """Look at these sessions of the organisation again: they were ended here."""
        for token_hash in token_hashes:
            self._sessions.forget(Sought(org_id, token_hash))
            self._sessions.forget(Sought(None, token_hash))  # a token of before

    def close(self) -> None:
        """Write what was noted of keys, and let go of the threads; it blocks."""
        self._notes.close()
        self.hashing.close()
        self.pins.close()


def _identity_of_key(database: Database, one: Sought) -> Identity | None:
    row = directory.key_of(database, one.digest, one.org_id)
    if row is None:
        return None
    name, known = f"key:{row.name}"[:200], _known(row.permissions)
    limits = limits_of(row.addresses, row.expires_at)
    bounded = row.ends or row.addresses is not None  # an old secret ends too, and both secrets are one caller
    role, key_id = Role(row.role), row.id
    actor = Actor(row.org_id, name, role, row.stores, id=key_id, permissions=known, bounded=bounded, key_id=key_id)
    return Identity(actor, row.rate_limit, limits)


def _ended_token(headers: dict[bytes, bytes], origin: Origin) -> bytes | None:
    """The token of a register session that these headers show, in a cookie only from our own page."""
    scheme, _, token = headers.get(b"authorization", b"register").partition(b" ")
    if scheme.lower() != b"register":
        return None
    if token.strip():
        return token.strip()
    shown = shown_till(headers, secure=origin.secure)
    return None if shown is None or not same_origin(headers, secure=origin.secure) else shown.token


def _renewed(shown: ShownTill, known: Candidate | None, origin: Origin) -> str:
    """The cookie with a new mark of the cashier who has just changed something; empty while the old one is young."""
    now = int(time.time())
    if known is None or now - shown.since < RENEW_SECONDS:
        return ""
    mark = PinMark(known.user.id, known.pin_hash, now)
    return till_cookie(shown.token.decode(), secure=origin.secure, cashier=mark)


def _both(stores: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The stores of both; empty means all."""
    return tuple(store for store in stores or others if not others or store in others)


def _known(permissions: tuple[str, ...] | None) -> frozenset[Permission] | None:
    """What a key is narrowed to; a permission that this version does not know is none."""
    return None if permissions is None else frozenset(one for one in Permission if one in permissions)


def unauthorized(detail: str) -> Problem:
    """Who asks is not known."""
    return Problem(UNAUTHORIZED, detail, headers=CHALLENGE)


def till_not_open() -> Problem:
    """The token is that of no open register session."""
    return Problem(UNAUTHORIZED, "The register session is not open.", headers=TILL_CHALLENGE)


def pin_needed(detail: str) -> Problem:
    """The session is open, and nobody may act in it who does not give a PIN."""
    return Problem(UNAUTHORIZED, detail, numbers={"pin_needed": True}, headers=TILL_CHALLENGE)


def from_elsewhere() -> Problem:
    """A cookie came along with what a page of another site sent."""
    return Problem("FORBIDDEN", "The request comes from a page of another site.")


def rate_limited(detail: str, reset_time: float) -> Problem:
    """Too many requests; `reset_time` is when there may be more, in seconds since 1970."""
    wait = max(1, round(reset_time - time.time() + 0.5))
    return Problem(RATE_LIMITED, detail, numbers={"retry_after": wait}, headers={"Retry-After": str(wait)})
