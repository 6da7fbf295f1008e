"""What routes, streams and pages may use of the application that serves them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

from holdfast.app import Holdfast
from holdfast.web.http.callers import Callers
from holdfast.web.identity.auth import Auth


class Serving(Protocol):
    """The application, as those see it to whom it hands a request."""

    shop: Holdfast
    auth: Auth
    callers: Callers
    stopping: asyncio.Event
    """Set when the server is told to stop."""

    state: SimpleNamespace
    """What the starter of the application gives to its pages (the demo's customers)."""

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run what asks the database in a thread of its own."""
