"""Compression: answers as gzip for who takes it, where it is worth it and tells nobody a secret.

    takes_gzip({b"accept-encoding": b"br, gzip"})       -> True
    await compressed(body)                              -> the gzip of it
    GzipPage()                                          -> the messages of a page, compressed as they come

Texts above 1 KiB are compressed (https://www.rfc-editor.org/rfc/rfc9110.html#section-8.4.1.3). Never streams of
events, which would wait for the compressor, and never answers that hold a secret: beside a text that a stranger
chooses, the length of a compressed answer tells a secret letter by letter (BREACH, https://www.breachattack.com/).
"""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping

from holdfast.web.http.request_body import Message

LEAST = 1024
"""Bytes up to which an answer is sent as it is."""

LEVEL = 5
"""Half of the time of level 6 for some percent more bytes."""

ASIDE = 32 * 1024
"""Bytes from which a body is compressed in a thread."""

GZIP = (b"content-encoding", b"gzip")
VARY = (b"vary", b"Accept-Encoding")

_TEXTS = re.compile(rb"text/(?!event-stream)|application/(?:[a-z0-9.+-]+\+)?json|application/javascript|image/svg")
_QUALITY = re.compile(rb"\s*;\s*q\s*=\s*0(?:\.0{0,3})?\s*$")


def takes_gzip(headers: Mapping[bytes, bytes]) -> bool:
    """Does who asks take gzip? The word itself decides before `*`."""
    known = {}
    for part in headers.get(b"accept-encoding", b"").lower().split(b","):
        name, _, _ = part.partition(b";")
        known[name.strip()] = _QUALITY.search(part) is None
    return known.get(b"gzip", known.get(b"*", False))


def is_text(media_type: bytes) -> bool:
    """Is it worth it to compress what has that type?"""
    return _TEXTS.match(media_type) is not None


async def compressed(body: bytes) -> bytes:
    """The gzip of a body; a large one keeps nobody else waiting."""
    if len(body) < ASIDE:
        return gzip.compress(body, LEVEL, mtime=0)
    return await asyncio.get_running_loop().run_in_executor(None, lambda: gzip.compress(body, LEVEL, mtime=0))


class GzipPage:
    """The messages of one response of a page: `sent` answers those to send for each that the page gives."""

    def __init__(self) -> None:
        self._start: Message | None = None
        self._packer: zlib._Compress | None = None

    def sent(self, message: Message) -> Iterator[Message]:
        """What to send in place of a message: the start waits for the first part, which says how much there is."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            texts = _worth(start)
            if texts and (more or len(body) > LEAST):
                self._packer = zlib.compressobj(LEVEL, wbits=31)
                yield _packed(start)
            else:
                yield {**start, "headers": [*start["headers"], VARY]} if texts else start
        if self._packer is None:
            yield message
            return
        packed = self._packer.compress(body)
        if not more:
            packed += self._packer.flush()
        yield {**message, "body": packed}


def _worth(start: Message) -> bool:
    """Is it a whole text, of which nobody asked for a part, and which sets no cookie?"""
    headers = dict(start["headers"])
    if start["status"] == 206 or not {b"set-cookie", b"content-encoding", b"content-range"}.isdisjoint(headers):
        return False
    return is_text(headers.get(b"content-type", b""))


def _packed(start: Message) -> Message:
    """The start of a response whose body is compressed: its length is not known, and its tag is that of another."""
    headers = []
    for name, value in start["headers"]:
        if name == b"content-length":
            continue
        headers.append((name, b"W/" + value if name == b"etag" and not value.startswith(b"W/") else value))
    return {**start, "headers": [*headers, GZIP, VARY]}
