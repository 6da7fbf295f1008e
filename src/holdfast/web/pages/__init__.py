"""The pages that people use: HTML over the same application, with or without JavaScript (docs/architecture.md).

    pages = create_pages(application, config)      # an ASGI application for everything that is not the API

`routes` is the whole list. A page reads through `shop.reports` in threads and changes nothing of the shop itself: what
people do goes through the JSON API, from the page's own script, with their session. Signing in and one's account are
plain forms, which need no script. It refuses inline scripts and styles and
anything from another host, by a Content-Security-Policy on every answer.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount, Route

from holdfast.settings import Config
from holdfast.web.http.serving import Serving
from holdfast.web.identity.auth import Lookups
from holdfast.web.identity.cookies import SESSION_SECONDS
from holdfast.web.pages import (
    account,
    codes,
    inventory,
    inventory_entry,
    inventory_export,
    look_form,
    maker,
    sale,
    sales,
    sales_picking,
    sign_in,
    till,
    traffic,
)
from holdfast.web.pages.failure import not_found_page
from holdfast.web.pages.layout import FIGURES, StaticFolder

routes: list[BaseRoute] = [
    Route("/", sign_in.start, methods=["GET"]),
    Route("/sign-in", sign_in.show, methods=["GET"]),
    Route("/sign-in", sign_in.enter, methods=["POST"]),
    Route("/sign-in/code", sign_in.ask_code, methods=["GET"]),
    Route("/sign-in/code", sign_in.give_code, methods=["POST"]),
    Route("/sign-out", sign_in.leave, methods=["POST"]),
    Route("/account", account.show, methods=["GET"]),
    Route("/account/password", account.password, methods=["GET"]),
    Route("/account/password", account.change_password, methods=["POST"]),
    Route("/account/pin", account.pin, methods=["GET"]),
    Route("/account/pin", account.change_pin, methods=["POST"]),
    Route("/account/two-steps", account.factor, methods=["GET"]),
    Route("/account/two-steps", account.set_factor, methods=["POST"]),
    Route("/account/two-steps/off", account.drop_factor, methods=["POST"]),
    Route("/account/sessions/end", account.end_sessions, methods=["POST"]),
    Route("/account/look", look_form.choose_look, methods=["POST"]),
    Route("/admin/inventory", inventory.show, methods=["GET"]),
    Route("/admin/inventory/rows", inventory.more_rows, methods=["GET"]),
    Route("/admin/inventory.csv", inventory_export.show, methods=["GET"]),
    Route("/admin/inventory/entry", inventory_entry.show, methods=["GET"]),
    Route("/admin/inventory/live", inventory.live, methods=["GET"]),
    Route("/admin/sales", sales.show, methods=["GET"]),
    Route("/admin/sales/rows", sales.more_rows, methods=["GET"]),
    Route("/admin/sales/picking", sales_picking.show, methods=["GET"]),
    Route("/admin/sales/{sale_id}", sale.show, methods=["GET"]),
    Route("/admin/sales/{sale_id}/part", sale.part, methods=["GET"]),
    Route("/pos", till.show, methods=["GET"]),
    Route("/pos/code.svg", codes.show, methods=["GET"]),
    Route("/pos/customer", till.customer, methods=["GET"]),
    Route("/simple", maker.show, methods=["GET"]),
    Route("/simple/sell", maker.sell, methods=["GET"]),
    Route("/simple/count", maker.count, methods=["GET"]),
    Route("/demo/traffic", traffic.switch, methods=["POST"]),
    Mount("/static", StaticFolder()),
]
"""Every page, in the order in which they are tried."""


def create_pages(application: Serving, config: Config | None = None) -> Starlette:
    """The pages over an application; without `config`, sessions last as the settings have them by default."""
    pages = Starlette(routes=routes, exception_handlers={HTTPException: not_found_page})
    pages.router.redirect_slashes = False
    pages.state.application = application
    pages.state.session_seconds = SESSION_SECONDS if config is None else round(config.session_hours * 3600)
    reports = application.shop.reports
    # Many people look at the same figures while something sells: they are computed at most twice a second.
    setattr(
        pages.state,
        FIGURES,
        Lookups(lambda of: reports.level_figures(of[0], of[1], stores=of[2])),
    )
    return pages
