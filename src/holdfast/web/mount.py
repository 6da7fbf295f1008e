"""The pages beside the API: mounted when they are there (`holdfast.web.pages.create_pages`)."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from holdfast.settings import Config

if TYPE_CHECKING:
    from holdfast.web.http.application import Application, ASGIApp

PAGES = "holdfast.web.pages"


def mounted_pages(application: Application, config: Config | None) -> ASGIApp | None:
    """An ASGI application of the pages, or None where there are none."""
    if importlib.util.find_spec(PAGES) is None:
        return None
    pages: Any = importlib.import_module(PAGES)
    app: ASGIApp = pages.create_pages(application, config)
    return app
