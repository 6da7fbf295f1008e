"""What the audit log keeps of signing in and of refusals: who, from where, what, in which request.

    log.note(org_id, "user:ana@shop.example", origin, NoteSecurity("sign_in", "app_user", user_id))
    log.refused(actor, "FORBIDDEN", origin)       at most one line a minute for each caller, address and code

It waits for nothing and costs the request nothing: a line that cannot be written is told in the process's log. It
never has a secret, nor what a stranger typed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import NamedTuple

import structlog

from holdfast.access import Actor
from holdfast.core.organisation.sign_in import NoteSecurity
from holdfast.core.stock.caller import Caller
from holdfast.executor import Executor, Overloaded, Reply, Submission, Unavailable
from holdfast.web.http.request_body import Scope, client_of

REFUSED_SECONDS = 60.0
"""How often the same refusal of the same caller is written down."""

REFUSED_MAX = 10_000
"""Most callers whose refusals are remembered."""

DEVICE_CHARACTERS_MAX = 200

log = structlog.get_logger("holdfast.web")


class Origin(NamedTuple):
    """Where a request comes from: the client's address, the request's id, what the browser calls itself,
    and whether it came by HTTPS."""

    address: str = ""
    request_id: str = ""
    device: str = ""
    secure: bool = False


def origin_in(scope: Scope, headers: Mapping[bytes, bytes], request_id: str) -> Origin:
    """Where a request comes from, as the server believes it (trusted proxies say it of others)."""
    device = headers.get(b"user-agent", b"")[:DEVICE_CHARACTERS_MAX].decode("latin-1")
    if not device.isprintable():
        device = "".join(sign for sign in device if sign.isprintable())
    return Origin(client_of(scope) or "", request_id, device, scope.get("scheme") == "https")


class SecurityLog:
    """Writes lines by the executor, as every other change."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._refused: dict[tuple[str, str, str, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def note(self, org_id: str, actor: str, origin: Origin, what: NoteSecurity) -> None:
        """Write a line, soon."""
        caller = Caller(actor, address=origin.address[:64] or None, request_id=origin.request_id[:128] or None)
        future: Future[Reply] = Future()
        future.add_done_callback(_say_if_lost)
        submission = Submission(
            caller, what, key=None, fingerprint="", render=None, status=200, loop=None, future=future
        )
        try:
            self._executor.submit(org_id, submission, always=True)
        except (Overloaded, Unavailable) as error:
            log.warning("security line lost", action=what.action, error=str(error))

    def refused(self, actor: Actor, code: str, origin: Origin) -> None:
        """A known caller was refused."""
        name = (actor.org_id, actor.name, origin.address, code)
        now = time.monotonic()
        with self._lock:
            since, count = self._refused.get(name, (-REFUSED_SECONDS, 0))
            if now - since < REFUSED_SECONDS:
                self._refused[name] = (since, count + 1)
                return
            if len(self._refused) >= REFUSED_MAX:
                self._refused.clear()
            self._refused[name] = (now, 0)
        what = NoteSecurity("refused", "caller", actor.id or actor.name, detail=code, count=count + 1)
        self.note(actor.org_id, actor.name, origin, what)


def _say_if_lost(future: Future[Reply]) -> None:
    error = future.exception()
    if error is not None:
        log.warning("security line lost", error=repr(error))
