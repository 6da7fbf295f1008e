"""The demo's switch: let customers in, or stop them. There is none outside a demo."""

from __future__ import annotations

import inspect

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from holdfast.access import Permission
from holdfast.web.http.problems import invalid
from holdfast.web.pages.form import own_path, posted
from holdfast.web.pages.layout import HEADERS, Visitor, demo_traffic
from holdfast.web.pages.page_access import page


@page(Permission.MANAGE)
async def switch(request: Request, _visitor: Visitor) -> Response:
    """Start or stop the demo's customers (`action`), and go back to the page (`next`)."""
    fields = await posted(request)
    traffic = demo_traffic(request)
    if traffic is None:
        raise HTTPException(404)
    if fields.get("action") not in ("start", "stop"):
        raise invalid("action", "must be start or stop.")
    done = traffic.start() if fields["action"] == "start" else traffic.stop()
    if inspect.isawaitable(done):
        await done
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"running": bool(traffic.running)}, headers=HEADERS)
    return RedirectResponse(own_path(fields.get("next")), 303, HEADERS)
