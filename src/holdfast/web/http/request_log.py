"""The log of the requests that were not done: one line each, found again by the request id of the answer.

    request refused      the caller's mistake, or no stock (4xx)      at the level of HOLDFAST_REFUSAL_LOG_LEVEL
    request unavailable  overload, or the database is away (503)      warning, with the reason
    request failed       a fault of ours (500)                        error, with the trace

A line has the request id, the code, the status, the method and the route as the documentation writes it. It never has
what the caller sent (path, query, headers, body) nor the words of a refusal: keys, passwords and names may stand there.
"""

from __future__ import annotations

import logging
import traceback
from typing import Protocol

import structlog

from holdfast.web.http.problems import INTERNAL_ERROR, STATUS, UNAVAILABLE

LEVEL = logging.INFO
"""The level of refusals where no setting says otherwise."""

NO_ROUTE = "none"
"""The route of an address that is unknown."""

REFUSED_PAGE = "holdfast.refused"
"""Where a page leaves (code, trace or "") in its ASGI scope when it refuses or fails."""

REASON_MAX = 500
"""Most characters of a reason."""

_CODES = {404: "NOT_FOUND", 409: "INVALID_STATE", 422: "INVALID_REQUEST"}
"""The codes of those statuses, answered without a code, that several codes have."""

log = structlog.get_logger("holdfast.web")


class LoggedAnswer(Protocol):
    """What the log needs of a response."""

    request_id: str
    route: str


class RequestLog:
    """Tells of refused and failed requests; refusals at `level` (as in `logging`)."""

    def __init__(self, level: int) -> None:
        self._level = level

    def tell(
        self, method: str, answer: LoggedAnswer, status: int, code: str = "", *, reason: str = "", exception: str = ""
    ) -> None:
        """One line. `reason` is told of a 503 only, `exception` is a trace as text."""
        said = {
            "request_id": answer.request_id,
            "code": code or code_of(status),
            "status": status,
            "method": method,
            "route": answer.route,
        }
        if exception or status == STATUS[INTERNAL_ERROR]:
            log.error("request failed", **said, exception=exception)
        elif status == STATUS[UNAVAILABLE]:
            log.warning("request unavailable", **said, **({"reason": reason[:REASON_MAX]} if reason else {}))
        else:
            log.log(self._level, "request refused", **said)


def level_of(name: str) -> int:
    """The level that a setting names: `info`, `warning` ..."""
    return logging.getLevelNamesMapping()[name.upper()]


def code_of(status: int) -> str:
    """The code of a status that was answered without one: a page's, or that of a health check."""
    return _CODES.get(status) or next((code for code, known in STATUS.items() if known == status), "INVALID_REQUEST")


def trace_of(error: BaseException) -> str:
    """The trace as text: a formatter that shows local variables would put keys and passwords into the log."""
    return "".join(traceback.format_exception(error))
