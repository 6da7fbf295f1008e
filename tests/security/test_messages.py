"""Where a request ends is read in one way, and what a file is called leads to no other file."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.faults.test_hostile_connections import SHORT, serving


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A server on a port."""
    with serving(tmp_path_factory.mktemp("messages"), SHORT) as served:
        yield served.port


def _said(port: int, request: bytes) -> bytes:
    """All that the server answers to these bytes, until it closes the connection, as it was asked to, or says nothing
    for a second."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.settimeout(30 if b"Connection: close" in request else 1)
        connection.sendall(request)
        try:
            while part := connection.recv(65536):
                said += part
        except TimeoutError:
            pass
    return said


BEHIND = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"
"""A second request, which a server that ends the first one too early would answer."""

HIDDEN = b"POST /api/v1/receipts HTTP/1.1\r\nHost: shop\r\n%b\r\n\r\n%b"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: 6\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 6", b"0\r\n\r\n"),
        (b"Content-Length: 0\r\nContent-Length: 5", b"12345"),
        (b"Content-Length: +5", b"12345"),
        (b"Content-Length: 5, 5", b"12345"),
        (b"Transfer-Encoding: identity", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n"),
        (b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"zz\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"-1\r\n\r\n"),
    ],
)
def test_a_request_with_two_ends_is_refused(port: int, headers: bytes, body: bytes) -> None:
    """A proxy in front could have read another end: what follows is not taken for a request."""
    said = _said(port, HIDDEN % (headers, body + BEHIND))

    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))
    assert said.count(b"HTTP/1.1 ") == 1
    assert b'{"status":"ok"}' not in said


def test_a_request_behind_another_is_answered(port: int) -> None:
    """The counterpart of the test above: requests that have one end each are answered, both."""
    said = _said(port, BEHIND * 2)

    assert said.count(b'{"status":"ok"}') == 2


@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/holdfast.css", "/healthz", "/api/v1/products", "/nowhere"])
def test_trace_is_answered_by_nobody(port: int, path: str) -> None:
    """It would tell headers that scripts may not read."""
    said = _said(
        port, b"TRACE %b HTTP/1.1\r\nHost: shop\r\nX-Secret: told\r\nConnection: close\r\n\r\n" % path.encode()
    )

    assert said.split()[1] in (b"404", b"405")
    assert b"told" not in said


@pytest.mark.parametrize(
    "path",
    [
        "/static",
        "/static/",
        "/static/..",
        "/static/../auth.py",
        "/static/%2e%2e/auth.py",
        "/static/..%2fauth.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/holdfast.css%00.txt",
        "/.git/config",
        "/.env",
    ],
)
def test_only_files_of_the_folder_are_served(port: int, path: str) -> None:
    """No list of what is there, nothing beside it, and nothing of a checkout."""
    said = _said(port, f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())

    assert said.split()[1] in (b"400", b"404", b"405"), said[:200]
    assert b"holdfast.css" not in said.partition(b"\r\n\r\n")[2].replace(b'href="/static/holdfast.css', b"")


def test_every_answer_says_what_it_is(port: int) -> None:
    """A body has its type, texts have their character set, and no browser guesses."""
    for path in ("/", "/sign-in", "/docs", "/openapi.json", "/metrics", "/healthz", "/api/v1/products", "/nowhere",
                 "/static/holdfast.css", "/static/inventory.js", "/static/mark.svg"):  # fmt: skip
        said = _said(port, f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
        head, _, body = said.lower().partition(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        assert headers[b"x-content-type-options"] == b"nosniff", path
        if body:
            kind = headers[b"content-type"]
            assert not kind.startswith(b"text/") or b"charset=utf-8" in kind, (path, kind)


def test_the_package_brings_no_folder_of_a_checkout() -> None:
    """What is served lies in the package, which has no `.git` in it."""
    import holdfast.web

    assert not list(Path(holdfast.web.__file__).parent.rglob(".*"))
