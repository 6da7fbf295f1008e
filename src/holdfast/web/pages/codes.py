"""Bars and QR codes as pictures (SVG), for receipts and slips.

    GET /pos/code.svg?kind=bars&text=S-000123      Code 128 (ISO/IEC 15417, code set B)
    GET /pos/code.svg?kind=qr&text=...             a QR code

It shows nothing but the text that it is asked for, so everybody may ask. It refuses (400) what a code cannot hold.
"""

from __future__ import annotations

import io

import segno
from segno import DataOverflowError
from starlette.requests import Request
from starlette.responses import Response

from holdfast.web.http.problems import invalid
from holdfast.web.pages.layout import HEADERS
from holdfast.web.pages.page_access import open_page

BARS_MAX = 60
"""Most characters of a text in bars: what fits on a receipt."""

QR_MAX = 900
"""Most bytes of a text in a QR code: what a phone still reads off a screen."""

HEIGHT = 40
QUIET = 10
"""Modules of white on each side, which readers need."""

_PATTERNS = (
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222123122123221223211"
    "221132221231213212223112312131311222321122321221312212322112322211212123212321232121111323131123131321112313132113"
    "132311211313231113231311112133112331132131113123113321133121313121211331231131213113213311213131311123311321331121"
    "312113312311332111314111221411431111111224111422121124121421141122141221112214112412122114122411142112142211241211"
    "221114413111241112134111111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141"
    "114113114311411113411311113141114131311141411131211412211214211232"
)
"""The widths of bars and gaps of each value, six digits a value (ISO/IEC 15417, table 1)."""

_STOP = "2331112"
_START_B, _START_VALUE = 104, 104


def bars_of(text: str) -> str:
    """The widths of bars and gaps, bar first, of a text in Code 128: printable ASCII alone."""
    values = [ord(sign) - 32 for sign in text]
    check = (_START_VALUE + sum(place * value for place, value in enumerate(values, 1))) % 103
    return "".join(_PATTERNS[6 * value : 6 * value + 6] for value in (_START_B, *values, check)) + _STOP


def bars_svg(text: str) -> str:
    """A text in Code 128, as an SVG of one module a unit."""
    at, path = QUIET, []
    for index, width in enumerate(bars_of(text)):
        if index % 2 == 0:
            path.append(f"M{at} 0h{width}v{HEIGHT}h-{width}z")
        at += int(width)
    size = f'viewBox="0 0 {at + QUIET} {HEIGHT}" width="{2 * (at + QUIET)}" height="{2 * HEIGHT}"'
    white = f'<path fill="#fff" d="M0 0h{at + QUIET}v{HEIGHT}H0z"/>'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} shape-rendering="crispEdges">'
    return f'{start}{white}<path d="{"".join(path)}"/></svg>'


def qr_svg(text: str) -> str:
    """A text as a QR code, as an SVG."""
    written = io.BytesIO()
    segno.make(text, error="m", micro=False).save(written, kind="svg", scale=4, border=4, light="#fff", xmldecl=False)
    return written.getvalue().decode()


@open_page
async def show(request: Request) -> Response:
    """The picture."""
    text, kind = request.query_params.get("text", ""), request.query_params.get("kind", "bars")
    if kind == "qr":
        if not 0 < len(text.encode()) <= QR_MAX:
            raise invalid("text", f"has 1 to {QR_MAX} bytes.")
        try:
            drawn = qr_svg(text)
        except DataOverflowError:
            raise invalid("text", "is too long for a QR code.") from None
    else:
        if not (0 < len(text) <= BARS_MAX and text.isascii() and text.isprintable()):
            raise invalid("text", f"has 1 to {BARS_MAX} printable characters of ASCII.")
        drawn = bars_svg(text)
    return Response(drawn, media_type="image/svg+xml", headers={**HEADERS, "Cache-Control": "private, max-age=86400"})
