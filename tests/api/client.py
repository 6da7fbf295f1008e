"""A client that speaks ASGI to the application itself: no sockets, raw bytes where a test wants them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from holdfast.web.http.application import Application


class Response:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.content)

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        code: str = self.json()["code"]
        return code

    def __repr__(self) -> str:
        return f"{self.status} {self.content[:400]!r}"


class Client:
    """Requests of one caller, one after another."""

    def __init__(self, application: Application, runner: asyncio.Runner, key: str | None = None) -> None:
        self.application = application
        self.runner = runner
        self.key = key

    def using(self, key: str | None) -> Client:
        """The same application, asked with another key."""
        return Client(self.application, self.runner, key)

    def get(self, path: str, **more: Any) -> Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Response:
        """POST a JSON body."""
        return self.request("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Response:
        """PUT a JSON body."""
        return self.request("PUT", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> Response:
        """PATCH with a JSON body."""
        return self.request("PATCH", path, body, **more)

    def delete(self, path: str, **more: Any) -> Response:
        """DELETE."""
        return self.request("DELETE", path, **more)

    def request(self, method: str, path: str, body: Any = None, **more: Any) -> Response:
        """One request; `content` sends raw bytes, `chunks` sends them without a length, `headers` adds some."""
        return self.runner.run(self.send(method, path, body, **more))

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: bytes | None = None,
        chunks: list[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """One request, in the event loop."""
        raw = content if content is not None else b"" if body is None else json.dumps(body).encode()
        sent = {"host": "shop.example"}
        if self.key is not None:
            sent["authorization"] = f"Bearer {self.key}"
        if raw:
            sent |= {"content-type": "application/json", "content-length": str(len(raw))}
        if chunks is not None:
            sent |= {"content-type": "application/json", "transfer-encoding": "chunked"}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        messages = iter(_messages(chunks if chunks is not None else [raw]))
        answer: dict[str, Any] = {"body": b""}

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def tell(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert "status" not in answer, "a response began twice"
                answer["status"] = message["status"]
                answer["headers"] = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer["body"] += message.get("body", b"")

        await self.application(scope_of(method, path, sent), receive, tell)
        return Response(answer["status"], answer["headers"], answer["body"])


def scope_of(method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    """The ASGI scope of a request; the path may carry a query."""
    path, _, query = path.partition("?")
    raw_path = quote(path, safe="/%")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 4711),
        "server": ("shop.example", 80),
        "state": {},
    }


def _messages(chunks: list[bytes]) -> Iterator[dict[str, Any]]:
    for index, chunk in enumerate(chunks):
        yield {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
    while True:
        yield {"type": "http.disconnect"}
