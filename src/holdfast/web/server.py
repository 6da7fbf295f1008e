"""The application that a server serves: the routes of the API, what anybody may ask, and the pages, put together.

    application = create_application(Holdfast.open("sqlite:///shop.db"))      # uvicorn runs it

Nothing below knows all of them: the application (`http.application.Application`) is given them here.
"""

from __future__ import annotations

from holdfast.app import Holdfast
from holdfast.settings import Config
from holdfast.web.api import ROUTES
from holdfast.web.health import PUBLIC
from holdfast.web.http.application import Application
from holdfast.web.http.callers import REQUESTS_MAX
from holdfast.web.http.request_log import LEVEL, level_of
from holdfast.web.identity.auth import IDLE_SECONDS
from holdfast.web.identity.cookies import SESSION_SECONDS
from holdfast.web.pages import create_pages


def create_application(shop: Holdfast, config: Config | None = None, *, close_shop: bool = False) -> Application:
    """The application over `shop`, with the routes of the API and the pages.

    With `close_shop` the end of the server's lifespan closes the shop: what was accepted is answered first.
    """
    seconds = SESSION_SECONDS if config is None else round(config.session_hours * 3600)
    idle = IDLE_SECONDS if config is None else round(config.session_idle_hours * 3600)
    level = LEVEL if config is None else level_of(config.refusal_log_level)
    most = REQUESTS_MAX if config is None else config.caller_requests_max
    application = Application(
        shop,
        ROUTES,
        PUBLIC,
        session_seconds=seconds,
        idle_seconds=idle,
        refusal_level=level,
        requests_max=most,
        secure=config is not None and config.secure,
        close_shop=close_shop,
    )
    application.pages = create_pages(application, config)
    return application
