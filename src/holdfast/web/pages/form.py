"""A form that a page posted: small, urlencoded, and from our own pages only.

    fields = await posted(request)     -> {"email": "ana@example.org", ...}

It refuses (403) what another site's page sent along with somebody's cookie, and (413, 400) what is no small form.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from holdfast.web.http.problems import PAYLOAD_TOO_LARGE, Problem, invalid
from holdfast.web.identity.cookies import same_origin

FORM_MAX = 16 * 1024
"""Most bytes of a form."""

FIELDS_MAX = 50


async def posted(request: Request) -> dict[str, str]:
    """The fields of the form; of a name given twice, the last."""
    if not same_origin(dict(request.scope["headers"]), secure=request.url.is_secure):
        raise Problem("FORBIDDEN", "The form comes from a page of another site.")
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > FORM_MAX:
            raise Problem(PAYLOAD_TOO_LARGE, "The form is larger than this page takes.")
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX))
    except ValueError:
        raise invalid("", "The form cannot be read.") from None


def own_path(text: str | None) -> str:
    """A path on this site to go to next; anything else is the start page."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")):
        return "/"
    return text if text.isprintable() and text.isascii() and len(text) <= 2000 else "/"
