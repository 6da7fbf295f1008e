"""Who fails to sign in has to wait, and cannot make anybody else wait for long (decision 0025).

    tried = throttle.begin("ana@shop.example", address, device=None)    -> or Problem 429
    throttle.succeeded(tried)                                           failures only are counted
    throttle.failed(tried)                                              -> how many failures are to be told, 0: not now

Counted before the password is looked at, so that many at once are no way round, and given back when it was right. An
address that fails at an account waits for it; one that fails at many waits for all. When an account is failed at from
many addresses, a new address is asked to come back in five seconds, and is then heard, whatever others do. A browser
that has signed in to the account before has a count of its own, and no other stops it.
"""

from __future__ import annotations

import ipaddress
import time
from typing import NamedTuple

from holdfast.db.attempts import NOBODY, SECOND, Attempts, Counter, Rule, attempting
from holdfast.db.engine import Database
from holdfast.web.problems import RATE_LIMITED, Problem

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


class Tried(NamedTuple):
    """An attempt under way; `locks` says that it locks the pair if it fails."""

    account: str
    pair: str
    address: str | None
    locks: bool


class Throttle:
    """The counters of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, account: str, address: str, device: str | None) -> Tried:
        """Begin an attempt at the account; 429 while it has to wait. `device` is that of a known browser."""
        now = time.time_ns() // 1000
        network = network_of(address)
        pair = f"device:{device}:{account}" if device is not None else f"pair:{network}:{account}"
        with attempting(self._database, now) as attempts:
            of_address = None if device is not None else f"address:{network}"
            wait = self._wait(attempts, f"account:{account}", pair, of_address)
            if not wait:
                locks = bool(attempts.fail(NOBODY, pair, PAIR_RULE))
        if wait:
            raise too_many(wait, now)
        return Tried(account, pair, of_address, locks)

    def _wait(self, attempts: Attempts, account: str, pair: str, address: str | None) -> int:
        """Until when it has to wait; 0: it goes ahead, and is counted for address and account."""
        now = attempts.now
        if address is not None:
            of_address = attempts.look(NOBODY, address)
            if ADDRESS_RULE.locked(of_address.locked_until, now):
                attempts.undo()
                return of_address.locked_until
        of_account = attempts.look(NOBODY, account)
        known = attempts.look(NOBODY, pair)
        if PAIR_RULE.locked(known.locked_until, now):
            attempts.undo()
            return known.locked_until
        if address is None:
            return 0
        if of_account.failures >= ACCOUNT_FREE and not _has_waited(known, now):
            until = known.waits_until
            if not now < until <= now + SOFT_SECONDS * SECOND:
                until = now + SOFT_SECONDS * SECOND
                attempts.keep(NOBODY, pair, waits_until=until, last_at=now)
            return until
        attempts.keep(NOBODY, pair, waits_until=0)
        attempts.keep(NOBODY, account, failures=of_account.failures + 1, last_at=now)
        attempts.fail(NOBODY, address, ADDRESS_RULE)
        return 0

    def succeeded(self, tried: Tried) -> int:
        """It was right: nothing is counted; how many failures before were not told yet."""
        now = time.time_ns() // 1000
        with attempting(self._database, now) as attempts:
            for name in (tried.address, f"account:{tried.account}"):
                if name is not None and tried.address is not None:
                    known = attempts.look(NOBODY, name)
                    attempts.keep(NOBODY, name, failures=max(known.failures - 1, 0), locked_until=0)
            untold = attempts.look(NOBODY, tried.pair).untold
            attempts.forget(NOBODY, tried.pair)
        return untold

    def failed(self, tried: Tried) -> int:
        """It was wrong: how many failures are to be told now; those that are not are told with a later one."""
        now = time.time_ns() // 1000
        account = f"account:{tried.account}"
        with attempting(self._database, now) as attempts:
            of_account = attempts.look(NOBODY, account)
            known = attempts.look(NOBODY, tried.pair)
            due = _due(of_account, ACCOUNT_TOLD_SECONDS, now) and _due(known, TOLD_SECONDS, now)
            if due:
                attempts.keep(NOBODY, account, told_at=now)
            attempts.keep(
                NOBODY,
                tried.pair,
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
