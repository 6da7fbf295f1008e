"""What needs no key: health, metrics, and the documentation (docs/how-to/operate.md).

GET /healthz   200 while the process runs        GET /readyz   503 while the database is away or not migrated
GET /metrics   Prometheus, of no organisation    GET /openapi.json, /docs
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from holdfast.db.credentials import is_away
from holdfast.db.migrate import state
from holdfast.db.unreachable import DatabaseUnreachable
from holdfast.metrics import REGISTRY
from holdfast.web.docs.openapi import openapi_bytes
from holdfast.web.docs.page import CONTENT_SECURITY_POLICY, docs_page
from holdfast.web.http.public import Public, PublicAnswer
from holdfast.web.http.serving import Serving

_JSON = b"application/json"

encode = msgspec.json.Encoder().encode


def healthz(_application: Serving) -> PublicAnswer:
    """The process runs."""
    return PublicAnswer(200, b'{"status":"ok"}')


def readyz(application: Serving) -> PublicAnswer:
    """The database is there and has the schema that this version needs."""
    checks: dict[str, Any] = {"database": "ok", "migrations": "ok"}
    try:
        found = state(application.shop.database)
    except DatabaseUnreachable:
        checks = {"database": "away", "migrations": "unknown"}
    except Exception as error:
        if not is_away(error):
            raise
        checks = {"database": "away", "migrations": "unknown"}
    else:
        if found != "current":
            checks["migrations"] = found
    ready = set(checks.values()) == {"ok"} and not application.stopping.is_set()
    body = encode({"status": "ready" if ready else "not ready", "checks": checks})
    return PublicAnswer(200 if ready else 503, body, _JSON, () if ready else ((b"retry-after", b"2"),))


def metrics(_application: Serving) -> PublicAnswer:
    """Everything measured, for Prometheus."""
    return PublicAnswer(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST.encode())


def openapi(_application: Serving) -> PublicAnswer:
    """The OpenAPI document."""
    return PublicAnswer(200, openapi_bytes())


def docs(_application: Serving) -> PublicAnswer:
    """The documentation page."""
    policy = ((b"content-security-policy", CONTENT_SECURITY_POLICY.encode()), (b"x-content-type-options", b"nosniff"))
    return PublicAnswer(200, docs_page(), b"text/html; charset=utf-8", policy)


def docs_style(_application: Serving) -> PublicAnswer:
    """The documentation page's style sheet."""
    style = (files("holdfast.web") / "static" / "docs.css").read_bytes()
    return PublicAnswer(200, style, b"text/css; charset=utf-8", ((b"cache-control", b"max-age=3600"),))


PUBLIC: dict[str, dict[str, Public]] = {
    "/healthz": {"GET": Public("healthz", healthz, blocks=False)},
    "/readyz": {"GET": Public("readyz", readyz)},
    "/metrics": {"GET": Public("metrics", metrics)},
    "/openapi.json": {"GET": Public("openapi", openapi)},
    "/docs": {"GET": Public("docs", docs)},
    "/static/docs.css": {"GET": Public("docs_style", docs_style)},
}
"""The public addresses and their methods."""
