"""The route table of the API: one tuple, from which requests are dispatched and the documentation is made."""

from __future__ import annotations

from holdfast.web.api import (
    catalog,
    channel,
    documents,
    events,
    history,
    inventory,
    organisation,
    receiving,
    reservations,
    scan,
)
from holdfast.web.route import Route

ROUTES: tuple[Route, ...] = (
    *reservations.ROUTES,
    *inventory.ROUTES,
    *receiving.ROUTES,
    *documents.ROUTES,
    *catalog.ROUTES,
    *history.ROUTES,
    *scan.ROUTES,
    *events.ROUTES,
    *organisation.ROUTES,
    *channel.ROUTES,
)
"""Every route of the API."""
