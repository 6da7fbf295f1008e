"""Who fails to sign in has to wait, and cannot make anybody else wait for long (decision 0025).

    throttle.look([target_of("ana@shop.example", address)])      Problem 429 where it has to wait, before it queues
    tried = throttle.begin(target_of("ana@shop.example", address))     -> or Problem 429
    throttle.succeeded(tried)                                    the attempt is taken back
    throttle.failed(tried)                                       -> how many failures are to be told, 0: not now

Counted before the password is looked at, so that many at once are no way round, and given back when it was right. An
address that fails at an account waits for it; one that fails at many waits for all. When an account is failed at from
many addresses, a new address is asked to come back in five seconds, and is then heard, whatever others do. A browser
that has signed in as a user before has a count of its own with respect to that user, and no other stops it.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from holdfast.db.attempts import NOBODY, SECOND, Attempts, Counter, Rule, attempting, peeking
from holdfast.db.engine import Database
from holdfast.web.http.problems import RATE_LIMITED, Problem

PAIR_RULE = Rule(free=5, first=15, longest=900)
"""One address, or one known browser, at one account."""

ADDRESS_RULE = Rule(free=50, first=15, longest=900)
"""One address at all accounts; an IPv6 address is its network of 64 bits."""

ACCOUNT_FREE = 10
"""Failures at an account, from any address, after which new addresses have to come twice."""

SOFT_SECONDS = 5
"""How long a new address waits then, once."""

SOFT_KEPT_SECONDS = 120
"""So long an address that has waited may take to come back."""

TOLD_SECONDS = 60
"""How often failures of one address at one account are told."""

ACCOUNT_TOLD_SECONDS = 10
"""How often failures at one account are told."""


RATE_MAX = 30
RATE_SECONDS = 60
"""Most attempts, right ones too, of one address or known browser at one account in so many seconds."""


class Target(NamedTuple):
    """What an attempt is counted for: an account, the pair of it and an address or browser, and the address.

    A known browser has no `address`: it has a count of its own, with respect to the one user who made it known.
    """

    account: str
    pair: str
    address: str | None


class Wait(NamedTuple):
    """Until when an attempt has to wait (0: it goes ahead); `begins` says that this pause begins with it."""

    until: int
    begins: bool = False


class Tried(NamedTuple):
    """An attempt under way; until when it locks its pair and its address if it fails (0: it does not)."""

    target: Target
    pair_until: int
    address_until: int

    @property
    def locks(self) -> bool:
        """Does it lock the pair if it fails?"""
        return bool(self.pair_until)


def target_of(account: str, address: str, device: str | None = None) -> Target:
    """What an attempt at the account is counted for; `device` is that of a browser known at it."""
    if device is not None:
        return Target(f"account:{account}", f"device:{device}:{account}", None)
    network = network_of(address)
    return Target(f"account:{account}", f"pair:{network}:{account}", f"address:{network}")


class Throttle:
    """The counters of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, targets: Sequence[Target]) -> None:
        """429 when all of them have to wait: it costs a read, so that nobody waits in a queue to hear it."""
        now = time.time_ns() // 1000
        with peeking(self._database, now) as attempts:
            waits = [self._wait(attempts, target, attempts.peek) for target in targets]
        if all(wait.until for wait in waits):
            for target, wait in zip(targets, waits, strict=True):
                if wait.begins:
                    self.attempt(target)  # which keeps the pause
            raise too_many(min(wait.until for wait in waits), now)

    def begin(self, target: Target) -> Tried:
        """Begin an attempt; 429 while it has to wait."""
        tried = self.attempt(target)
        if isinstance(tried, int):
            raise self.refusal(tried)
        return tried

    def refusal(self, until: int) -> Problem:
        """429 until then (microseconds since 1970)."""
        return too_many(until, time.time_ns() // 1000)

    def attempt(self, target: Target) -> Tried | int:
        """Begin an attempt, counted as a failure until it was right; or until when it has to wait."""
        now = time.time_ns() // 1000
        account, pair, address = target
        with attempting(self._database, now) as attempts:
            wait = self._wait(attempts, target, attempts.look)
            if wait.begins:
                attempts.keep(NOBODY, pair, waits_until=wait.until, last_at=now)
                return wait.until
            until = wait.until or attempts.take(NOBODY, f"rate:{pair}", RATE_MAX, RATE_SECONDS)
            if until:
                attempts.undo()
                return until
            of_address = 0
            if address is not None:
                failures = attempts.look(NOBODY, account).failures
                attempts.keep(NOBODY, pair, waits_until=0)
                attempts.keep(NOBODY, account, failures=failures + 1, last_at=now)
                of_address = attempts.fail(NOBODY, address, ADDRESS_RULE)
            return Tried(target, attempts.fail(NOBODY, pair, PAIR_RULE), of_address)

    def _wait(self, attempts: Attempts, target: Target, see: Callable[[str, str], Counter]) -> Wait:
        """Until when an attempt has to wait, in the order in which counters are locked."""
        now = attempts.now
        if target.address is not None:
            of_address = see(NOBODY, target.address)
            if ADDRESS_RULE.locked(of_address.locked_until, now):
                return Wait(of_address.locked_until)
        of_account = see(NOBODY, target.account)
        known = see(NOBODY, target.pair)
        if PAIR_RULE.locked(known.locked_until, now):
            return Wait(known.locked_until)
        rate = attempts.peek(NOBODY, f"rate:{target.pair}")
        if rate.failures >= RATE_MAX and now < rate.waits_until <= now + RATE_SECONDS * SECOND:
            return Wait(rate.waits_until)
        if target.address is None or of_account.failures < ACCOUNT_FREE or _has_waited(known, now):
            return Wait(0)
        if now < known.waits_until <= now + SOFT_SECONDS * SECOND:
            return Wait(known.waits_until)
        return Wait(now + SOFT_SECONDS * SECOND, begins=True)

    def give_back(self, tried: Tried) -> int:
        """It was no failure; how many failures of the pair before were not told yet.

        Only this attempt is taken back: failures before it may have been guesses at another user of the address.
        """
        account, pair, address = tried.target
        now = time.time_ns() // 1000
        with attempting(self._database, now) as attempts:
            if address is not None:
                attempts.give_back(NOBODY, address, tried.address_until)
                attempts.give_back(NOBODY, account, 0)
            untold = attempts.look(NOBODY, pair).untold
            attempts.give_back(NOBODY, pair, tried.pair_until)
            attempts.keep(NOBODY, pair, untold=0)
        return untold

    def succeeded(self, tried: Tried) -> int:
        """It was right; how many failures before were not told yet. A known browser's count begins anew."""
        if tried.target.address is not None:
            return self.give_back(tried)
        with attempting(self._database, time.time_ns() // 1000) as attempts:
            untold = attempts.look(NOBODY, tried.target.pair).untold
            attempts.forget(NOBODY, tried.target.pair)
        return untold

    def failed(self, tried: Tried) -> int:
        """It was wrong: how many failures are to be told now; those that are not are told with a later one."""
        now = time.time_ns() // 1000
        account, pair, _ = tried.target
        with attempting(self._database, now) as attempts:
            of_account = attempts.look(NOBODY, account)
            known = attempts.look(NOBODY, pair)
            due = _due(of_account, ACCOUNT_TOLD_SECONDS, now) and _due(known, TOLD_SECONDS, now)
            if due:
                attempts.keep(NOBODY, account, told_at=now)
            attempts.keep(
                NOBODY,
                pair,
                told_at=now if due else known.told_at,
                untold=0 if due else known.untold + 1,
            )
        return known.untold + 1 if due else 0


def _has_waited(known: Counter, now: int) -> bool:
    return 0 < known.waits_until <= now < known.waits_until + SOFT_KEPT_SECONDS * SECOND


def _due(counter: Counter, seconds: int, now: int) -> bool:
    return not 0 <= now - counter.told_at < seconds * SECOND


def network_of(address: str) -> str:
    """What counts as one address: whoever has an IPv6 address has 2**64 of them."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if known.version == 6 and known.ipv4_mapped is None:
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)


def too_many(until: int, now: int) -> Problem:
    """Too many failures; `until` and `now` in microseconds since 1970."""
    wait = max(1, -(-(until - now) // SECOND))
    return Problem(
        RATE_LIMITED,
        "Too many attempts to log in.",
        numbers={"retry_after": wait},
        headers={"Retry-After": str(wait)},
    )
