"""Signing in: a password, perhaps a code, and what has to be done before the session opens.

    place = sign_in.look(email, origin, cookies)                  -> where it waits for its turn; 429 when it is locked
    entered = sign_in.enter(email, password, origin, cookies)     -> Entered(token, stage, ...), None: wrong
    entered = sign_in.give_code(token, "123456", origin, cookies)
    entered = sign_in.advance(token, "password", origin, cookies) after the first password was changed

A session whose `stage` is not `open` lets its user do that one thing: give the `code`, change the first `password`, set
up the second `factor` that their role needs. The token changes with each stage. All of it blocks; what hashes
passwords is called in its turn (`hashing`). Nothing tells an unknown address from a wrong password.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import structlog

from holdfast.core.organisation.sign_in import NoteSecurity, SecurityAction
from holdfast.db import browser_sessions as rows
from holdfast.db import credentials as directory
from holdfast.db.browser_sessions import OPEN, Begun, Pending
from holdfast.db.credentials import UserRow
from holdfast.db.engine import Database
from holdfast.passwords import hashed, verified
from holdfast.tokens import SESSION, digest_of, new_token, sought
from holdfast.web.identity import second_factor
from holdfast.web.identity.cookies import DEVICE_COOKIE, cookie_name
from holdfast.web.identity.hashing import Place
from holdfast.web.identity.security_log import Origin, SecurityLog
from holdfast.web.identity.throttle import Target, Throttle, Tried, network_of, target_of

log = structlog.get_logger("holdfast.web")

DEVICE_SECONDS = 365 * 24 * 3600
"""How long a browser is known after it signed in to an account."""

HASHES = 2
"""How many hashes an attempt makes at least: as many as for two organisations that know the address."""

PENDING_SECONDS = 900
"""How long the steps after the password may take."""

STAGES = ("code", "password", "factor")

_MICROSECONDS = 1_000_000


class Entered(NamedTuple):
    """A session, its stage, and what makes the browser known once it is open: a cookie's name and value."""

    token: str
    stage: str
    device: tuple[str, str] | None


class SignIn:
    """Begins sessions."""

    def __init__(self, database: Database, log: SecurityLog, session_seconds: int) -> None:
        self._database = database
        self._log = log
        self._session_seconds = session_seconds
        self.throttle = Throttle(database)
        _nobodys_hash()  # made now, so that the first one who needs it waits no longer

    def look(self, email: str, origin: Origin, cookies: Mapping[str, str]) -> Place:
        """The place in which an attempt to sign in waits; 429 when it would be locked, so that it takes none."""
        email = _canonical(email)
        known = self._known(directory.users_of(self._database, email), origin, cookies)
        self.throttle.look([target_of(email, origin.address), *(target for _, target in known)])
        if known:
            return Place(tuple(f"user:{user.id}" for user, _ in known), known=True)
        return Place((f"address:{network_of(origin.address)}", f"account:{email}"))

    def enter(self, email: str, password: str, origin: Origin, cookies: Mapping[str, str]) -> Entered | None:
        """A session of the user, or None when email and password do not belong together; 429 while it has to wait.

        The users who made this browser known are tried first, each counted by itself; when it is the password of one,
        nobody else's was guessed at. Otherwise it is a guess at all others of the address, counted for the address as
        for a stranger, whether there are others or not.
        """
        email = _canonical(email)
        users = directory.users_of(self._database, email)
        known = self._known(users, origin, cookies)
        hashes = _Hashes(password)
        waits: list[int] = []
        for user, target in known:
            tried = self.throttle.attempt(target)
            if isinstance(tried, int):
                waits.append(tried)
                continue
            if hashes.are_of(user):
                hashes.fill()
                return self._enter(tried, user, users, origin, known=True)
            self._failed(tried, [user], origin)
        tried = self.throttle.attempt(target_of(email, origin.address))
        if isinstance(tried, int):
            if len(waits) == len(known):
                raise self.throttle.refusal(min([tried, *waits]))
            hashes.fill()
            return None
        right = [user for user in users if user.id not in hashes.compared and hashes.are_of(user)]
        hashes.fill()
        if not right:
            self._failed(tried, users, origin)
            return None
        return self._enter(tried, right[0], users, origin, known=False)

    def _known(self, users: list[UserRow], origin: Origin, cookies: Mapping[str, str]) -> list[tuple[UserRow, Target]]:
        """The users who made this browser known, and what an attempt of it at each is counted for."""
        marks = ((user, known_device(user, cookies, origin)) for user in users)
        return [(user, target_of(f"user:{user.id}", "", device)) for user, device in marks if device is not None]

    def _enter(
        self, tried: Tried, user: UserRow, users: list[UserRow], origin: Origin, *, known: bool
    ) -> Entered | None:
        untold = self.throttle.succeeded(tried)
        self._tell_failed(untold, [user] if known else users, origin)
        demands = rows.demands(self._database, user.org_id, user.id)
        return self._begin(user, "code" if demands.has_factor else _after("code", demands), origin, known=known)

    def give_code(self, token: str, code: str, origin: Origin, cookies: Mapping[str, str]) -> Entered | None:
        """Go on after the code of the app or a recovery code; None when it is wrong or the session is not waiting."""
        waiting = self.pending(token)
        if waiting is None or waiting.stage != "code":
            return None
        user = self._user(waiting)
        return self.advance(token, "code", origin, cookies) if self.confirm_code(user, code, origin, cookies) else None

    def confirm_code(self, user: UserRow, code: str, origin: Origin, cookies: Mapping[str, str]) -> bool:
        """Is it a code of the user's second factor? Then it is used up; 429 as for signing in."""
        tried = self.throttle.begin(target_of(f"code:{user.id}", origin.address, known_device(user, cookies, origin)))
        right = self.uses_code(user, code, origin)
        self._settle(tried, user, origin, right=right)
        return right

    def uses_code(self, user: UserRow, code: str, origin: Origin) -> bool:
        """Is it a code of the user's second factor? Then it is used up."""
        factor = rows.factor(self._database, user.org_id, user.id)
        after = None if factor is None else second_factor.used(factor, code, time.time_ns() // 1000)
        if factor is None or after is None or not rows.use_factor(self._database, user.org_id, user.id, factor, after):
            return False
        if len(after.codes) < len(factor.codes):
            left = f"{len(after.codes)} left"
            self._note(user, origin, NoteSecurity("recovery_code_used", "app_user", user.id, detail=left))
        return True

    def look_own(self, user: UserRow, origin: Origin, cookies: Mapping[str, str]) -> Place:
        """The place in which `confirm` waits; 429 when it would be locked, so that it takes none."""
        self.throttle.look([self._own(user, origin, cookies)])
        return Place((f"user:{user.id}",), known=True)

    def confirm(self, user: UserRow, password: str, origin: Origin, cookies: Mapping[str, str]) -> bool:
        """Is it the password of a user who is signed in and changes what is their own? 429 as for signing in."""
        tried = self.throttle.begin(self._own(user, origin, cookies))
        right = verified(password, user.password_hash)
        self._settle(tried, user, origin, right=right)
        return right

    def _own(self, user: UserRow, origin: Origin, cookies: Mapping[str, str]) -> Target:
        return target_of(f"own:{user.id}", origin.address, known_device(user, cookies, origin))

    def pending(self, token: str) -> Pending | None:
        """The session of the token, while something is to be done before it opens."""
        one = sought(SESSION, token.encode("latin-1"))
        return None if one is None else rows.pending(self._database, one.digest, time.time_ns() // 1000, one.org_id)

    def advance(self, token: str, done: str, origin: Origin, cookies: Mapping[str, str]) -> Entered | None:
        """The session after the stage `done`, under a new token; None when the session is not in it."""
        waiting = self.pending(token)
        if waiting is None or waiting.stage != done:
            return None
        user = self._user(waiting)
        demands = rows.demands(self._database, user.org_id, user.id)
        known = known_device(user, cookies, origin) is not None
        entered = self._begin(user, _after(done, demands), origin, known=known)
        directory.end_browser_session(self._database, digest_of(token), user.org_id)
        return entered

    def device_of(self, user: UserRow) -> tuple[str, str]:
        """The cookie, name and value, by which this browser is known at the account."""
        device = secrets.token_urlsafe(12)
        return _device_name(user), f"{device}.{_signed(user, device)}"

    def _begin(self, user: UserRow, stage: str, origin: Origin, *, known: bool) -> Entered | None:
        """A new session; None when the password was changed meanwhile."""
        token = new_token(SESSION, user.org_id)
        now = time.time_ns() // 1000
        seconds = self._session_seconds if stage == OPEN else PENDING_SECONDS
        begun = Begun(now, now + seconds * _MICROSECONDS, stage, origin.address, origin.device)
        if not rows.begin(self._database, token.digest, user, begun):
            return None
        if stage != OPEN:
            return Entered(token.text, stage, None)
        self._note(user, origin, NoteSecurity("sign_in", "app_user", user.id, new_device=not known))
        return Entered(token.text, stage, self.device_of(user))

    def _user(self, waiting: Pending) -> UserRow:
        users = directory.users_of(self._database, waiting.email)
        return next(one for one in users if (one.org_id, one.id) == (waiting.org_id, waiting.user_id))

    def _settle(self, tried: Tried, user: UserRow, origin: Origin, *, right: bool) -> None:
        """An attempt at what is of one user alone was right or wrong."""
        if right:
            self._tell_failed(self.throttle.succeeded(tried), [user], origin)
        else:
            self._failed(tried, [user], origin)

    def _failed(self, tried: Tried, users: list[UserRow], origin: Origin) -> None:
        self._tell_failed(self.throttle.failed(tried), users, origin)
        if tried.locks:
            self._tell(users, origin, "sign_in_locked")

    def _tell_failed(self, count: int, users: list[UserRow], origin: Origin) -> None:
        if count:
            self._tell(users, origin, "sign_in_failed", count)

    def _tell(self, users: list[UserRow], origin: Origin, action: SecurityAction, count: int = 1) -> None:
        """A line in the audit log of the one organisation that it says something about.

        Where several know the address, none hears of another's people: it is in the process's log alone.
        """
        if len(users) > 1:
            log.info(action, count=count, organisations=len(users), request_id=origin.request_id)
            return
        for user in users:
            self._note(user, origin, NoteSecurity(action, "app_user", user.id, count=count))

    def _note(self, user: UserRow, origin: Origin, what: NoteSecurity) -> None:
        failed = what.action in ("sign_in_failed", "sign_in_locked")
        self._log.note(user.org_id, "unknown" if failed else user.name, origin, what)


def _after(done: str, demands: rows.Demands) -> str:
    """What has to be done next."""
    if done == "code" and demands.first_password:
        return "password"
    return "factor" if demands.needs_factor and not demands.has_factor else OPEN


class _Hashes:
    """Compares one password with several users', so that the number of hashes tells little of how many there are."""

    def __init__(self, password: str) -> None:
        self._password = password
        self.compared: set[str] = set()
        self._made = 0

    def are_of(self, user: UserRow) -> bool:
        """Is it the user's password?"""
        self.compared.add(user.id)
        self._made += 1
        return verified(self._password, user.password_hash)

    def fill(self) -> None:
        """Hash on until there are HASHES, or twice as many, and so on."""
        while not self._made or self._made % HASHES:
            verified(self._password, _nobodys_hash())
            self._made += 1


@cache
def _nobodys_hash() -> str:
    return hashed(secrets.token_urlsafe(16))


def _canonical(email: str) -> str:
    return email.strip().lower()


def known_device(user: UserRow, cookies: Mapping[str, str], origin: Origin) -> str | None:
    """The name of the browser that sent these cookies, if it has signed in as this user before."""
    value = cookies.get(cookie_name(_device_name(user), secure=origin.secure), "")
    device, _, sign = value.partition(".")
    if not device or not sign.isascii():
        return None
    return device if hmac.compare_digest(_signed(user, device), sign) else None


def _device_name(user: UserRow) -> str:
    return DEVICE_COOKIE + hashlib.sha256(f"{user.org_id}:{user.id}".encode()).hexdigest()[:12]


def _signed(user: UserRow, device: str) -> str:
    """The user's password hash signs: nobody outside knows it, and a new password makes browsers unknown."""
    text = f"holdfast-device:{user.org_id}:{user.id}:{device}".encode("utf-8", "surrogatepass")
    return hmac.new(user.password_hash.encode(), text, hashlib.sha256).hexdigest()
