"""Signing in: a password, perhaps a code, and what has to be done before the session opens.

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
from typing import NamedTuple

from holdfast.core.sign_in import NoteSecurity
from holdfast.db import browser_sessions as rows
from holdfast.db import directory
from holdfast.db.browser_sessions import OPEN, Begun, Pending
from holdfast.db.directory import UserRow
from holdfast.db.engine import Database
from holdfast.passwords import hashed, verified
from holdfast.tokens import SESSION, digest_of, new_token, sought
from holdfast.web import second_factor
from holdfast.web.cookies import DEVICE_COOKIE, cookie_name
from holdfast.web.security_log import Origin, SecurityLog
from holdfast.web.throttle import Throttle, Tried

DEVICE_SECONDS = 365 * 24 * 3600
"""How long a browser is known after it signed in to an account."""

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
        # What an unknown email address is compared with, so that it takes as long as a wrong password.
        self._nobody = hashed(secrets.token_urlsafe(16))

    def enter(self, email: str, password: str, origin: Origin, cookies: Mapping[str, str]) -> Entered | None:
        """A session of the user, or None when email and password do not belong together; 429 while it has to wait."""
        email = email.strip().lower()
        users = directory.users_of(self._database, email)
        device = known_device(users, email, cookies, origin)
        tried = self.throttle.begin(email, origin.address, device)
        user = next((one for one in users if verified(password, one.password_hash)), None)
        if not users:
            verified(password, self._nobody)
        if user is None:
            self._failed(tried, users, origin)
            return None
        self._succeeded(tried, user, origin)
        demands = rows.demands(self._database, user.org_id, user.id)
        return self._begin(user, "code" if demands.has_factor else _after("code", demands), origin, known=bool(device))

    def give_code(self, token: str, code: str, origin: Origin, cookies: Mapping[str, str]) -> Entered | None:
        """Go on after the code of the app or a recovery code; None when it is wrong or the session is not waiting."""
        waiting = self.pending(token)
        if waiting is None or waiting.stage != "code":
            return None
        user = self._user(waiting)
        device = known_device([user], user.email, cookies, origin)
        tried = self.throttle.begin(f"code:{user.id}", origin.address, device)
        if not self.uses_code(user, code, origin):
            self._failed(tried, [user], origin)
            return None
        self._succeeded(tried, user, origin)
        return self.advance(token, "code", origin, cookies)

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

    def confirm(self, user: UserRow, password: str, origin: Origin, cookies: Mapping[str, str]) -> bool:
        """Is it the password of a user who is signed in and changes what is their own? 429 as for signing in."""
        tried = self.throttle.begin(f"own:{user.id}", origin.address, known_device([user], user.email, cookies, origin))
        if not verified(password, user.password_hash):
            self._failed(tried, [user], origin)
            return False
        self._succeeded(tried, user, origin)
        return True

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
        known = known_device([user], user.email, cookies, origin) is not None
        entered = self._begin(user, _after(done, demands), origin, known=known)
        directory.end_session(self._database, digest_of(token), user.org_id)
        return entered

    def device_of(self, user: UserRow) -> tuple[str, str]:
        """The cookie, name and value, by which this browser is known at the account."""
        device = secrets.token_urlsafe(12)
        return _device_name(user.email), f"{device}.{_signed(user, device)}"

    def _begin(self, user: UserRow, stage: str, origin: Origin, *, known: bool) -> Entered:
        token = new_token(SESSION, user.org_id)
        now = time.time_ns() // 1000
        seconds = self._session_seconds if stage == OPEN else PENDING_SECONDS
        begun = Begun(now, now + seconds * _MICROSECONDS, stage, origin.address, origin.device)
        rows.begin(self._database, token.digest, user, begun)
        if stage != OPEN:
            return Entered(token.text, stage, None)
        self._note(user, origin, NoteSecurity("sign_in", "app_user", user.id, new_device=not known))
        return Entered(token.text, stage, self.device_of(user))

    def _user(self, waiting: Pending) -> UserRow:
        users = directory.users_of(self._database, waiting.email)
        return next(one for one in users if (one.org_id, one.id) == (waiting.org_id, waiting.user_id))

    def _succeeded(self, tried: Tried, user: UserRow, origin: Origin) -> None:
        untold = self.throttle.succeeded(tried)
        if untold:
            self._note(user, origin, NoteSecurity("sign_in_failed", "app_user", user.id, count=untold))

    def _failed(self, tried: Tried, users: list[UserRow], origin: Origin) -> None:
        count = self.throttle.failed(tried)
        for user in users:
            if count:
                self._note(user, origin, NoteSecurity("sign_in_failed", "app_user", user.id, count=count))
            if tried.locks:
                self._note(user, origin, NoteSecurity("sign_in_locked", "app_user", user.id))

    def _note(self, user: UserRow, origin: Origin, what: NoteSecurity) -> None:
        failed = what.action in ("sign_in_failed", "sign_in_locked")
        self._log.note(user.org_id, "unknown" if failed else user.name, origin, what)


def _after(done: str, demands: rows.Demands) -> str:
    """What has to be done next."""
    if done == "code" and demands.first_password:
        return "password"
    return "factor" if demands.needs_factor and not demands.has_factor else OPEN


def known_device(users: list[UserRow], email: str, cookies: Mapping[str, str], origin: Origin) -> str | None:
    """The name of the browser that sent these cookies, if it has signed in to one of the users before."""
    value = cookies.get(cookie_name(_device_name(email), secure=origin.secure), "")
    device, _, sign = value.partition(".")
    if not device or not sign.isascii():
        return None
    return device if any(hmac.compare_digest(_signed(user, device), sign) for user in users) else None


def _device_name(email: str) -> str:
    return DEVICE_COOKIE + hashlib.sha256(email.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _signed(user: UserRow, device: str) -> str:
    """The user's password hash signs: nobody outside knows it, and a new password makes browsers unknown."""
    text = f"holdfast-device:{user.org_id}:{user.id}:{device}".encode("utf-8", "surrogatepass")
    return hmac.new(user.password_hash.encode(), text, hashlib.sha256).hexdigest()
