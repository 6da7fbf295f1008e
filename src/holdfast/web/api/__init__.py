"""The route table of the API: one tuple, from which requests are dispatched and the documentation is made."""

from __future__ import annotations

from holdfast.web.api import (
    books,
    catalog,
    channel,
    documents,
    events,
    gift_cards,
    history,
    imports,
    inventory,
    keys,
    license_keys,
    organisation,
    own,
    pos,
    receiving,
    registers,
    reservations,
    returns,
    sales,
    scan,
    taxes,
    tills,
)
from holdfast.web.http.route import Route

ROUTES: tuple[Route, ...] = (
    *reservations.ROUTES,
    *inventory.ROUTES,
    *sales.ROUTES,
    *pos.ROUTES,
    *returns.ROUTES,
    *gift_cards.ROUTES,
    *receiving.ROUTES,
    *documents.ROUTES,
    *catalog.ROUTES,
    *license_keys.ROUTES,
    *imports.ROUTES,
    *history.ROUTES,
    *scan.ROUTES,
    *events.ROUTES,
    *organisation.ROUTES,
    *keys.ROUTES,
    *own.ROUTES,
    *taxes.ROUTES,
    *registers.ROUTES,
    *tills.ROUTES,
    *books.ROUTES,
    *channel.ROUTES,
)
"""Every route of the API."""
