"""Lookup: the organisation's settings, stores, locations, products and tax rates by id and by name.

    catalog.product("MUG-1")     -> the product; `Missing` when nobody has looked for it yet

What a decision needs and was not loaded, it asks for by raising `Missing`; nothing here reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from holdfast.core.records.organisation import Location, Settings, Store, TaxRate
from holdfast.core.records.product import Product, folded
from holdfast.core.records.tax import Rate
from holdfast.core.records.wants import Missing, ProductNamed

ONLINE, EVERYWHERE = "online", "everywhere"


def served_from_text(store_ids: frozenset[str] | None, *, online: bool) -> str:
    """Where a hold may be served, as it keeps it: `online`, `everywhere`, or the ids of stores with a space between."""
    if store_ids is None:
        return ONLINE if online else EVERYWHERE
    return " ".join(sorted(store_ids))


class Catalog:
    """The organisation's settings, stores, locations and the products in use: what decisions look up by name."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stores: dict[str, Store] = {}
        self.locations: dict[str, Location] = {}
        self.location_of_code: dict[str, Location] = {}
        self.products: dict[str, Product] = {}
        self.unknown: set[str] = set()
        self.tax_rates: dict[str, TaxRate] = {}
        self.known_sellable_places: dict[tuple[frozenset[str] | None, bool], list[Location]] = {}
        """What `sellable_places` answered, while the locations stand as they are."""

    def copy(self) -> Catalog:
        """A catalog that can be changed without this one."""
        other = Catalog(self.settings)
        other.stores, other.locations = dict(self.stores), dict(self.locations)
        other.location_of_code, other.products = dict(self.location_of_code), dict(self.products)
        other.unknown = set(self.unknown)
        other.tax_rates = dict(self.tax_rates)
        return other

    def put_product(self, product: Product) -> None:
        """Know a product by its id and its SKU."""
        old = self.products.get(product.id)
        if old is not None and old.sku != product.sku:
            self.products.pop(old.sku, None)
            self.unknown.add(old.sku)
        self.products[product.id] = self.products[product.sku] = product
        self.unknown.discard(product.id)
        self.unknown.discard(product.sku)

    def put_location(self, location: Location) -> None:
        """Know a location by its id and, while it is active, by its code."""
        self.known_sellable_places = {}
        self.locations[location.id] = location
        if location.active:
            self.location_of_code[location.code] = location
        elif self.location_of_code.get(location.code, location).id == location.id:
            self.location_of_code.pop(location.code, None)

    def put_store(self, store: Store) -> None:
        """Know a store by its id."""
        self.stores[store.id] = store

    def store(self, reference: str) -> Store | None:
        """The active store with that id or code (any case)."""
        found = self.stores.get(reference)
        if found is None:
            code = folded(reference)
            found = next((store for store in self.stores.values() if store.active and store.code == code), None)
        return found if found is not None and found.active else None

    def put_tax_rate(self, rate: TaxRate) -> None:
        """Know a tax rate by its id."""
        self.tax_rates[rate.id] = rate

    def rates(self, tax_class: str | None, store_id: str | None) -> tuple[Rate, ...]:
        """The rates of a class, the oldest first: the store's own, else the organisation's; no class is untaxed."""
        if tax_class is None:
            return ()
        of_class = [rate for rate in self.tax_rates.values() if rate.active and rate.tax_class == tax_class]
        own = [rate for rate in of_class if rate.store_id is not None and rate.store_id == store_id]
        rates = own or [rate for rate in of_class if rate.store_id is None]
        return tuple(Rate(rate.name or tax_class, rate.rate) for rate in sorted(rates, key=lambda rate: rate.id))

    def taxes(self, tax_class: str) -> bool:
        """Is there a rate of the class, in whichever store?"""
        return any(rate.active and rate.tax_class == tax_class for rate in self.tax_rates.values())

    def knows(self, reference: str) -> bool:
        """Was the id or SKU looked up already, found or not?"""
        return reference in self.products or reference in self.unknown

    def product(self, reference: str) -> Product | None:
        """The product with that id or SKU; asks for it when nobody looked yet."""
        product = self.products.get(reference)
        if product is None and reference not in self.unknown:
            raise Missing((ProductNamed(reference),))
        return product

    def know_products(self, references: Iterable[str]) -> None:
        """Ask for all of these products (ids or SKUs) that nobody looked up yet, at once."""
        unknown = {ProductNamed(name) for name in references if not self.knows(name)}
        if unknown:
            raise Missing(unknown)

    def location(self, reference: str) -> Location | None:
        """The active location with that code (any case) or id."""
        found = self.location_of_code.get(reference) or self.location_of_code.get(folded(reference))
        if found is None:
            found = self.locations.get(reference)
        return found if found is not None and found.active else None

    def serving_places(self, served_from: str) -> list[Location]:
        """Where a hold may be served, in selling order; as `served_from_text` wrote it."""
        if served_from in (ONLINE, EVERYWHERE):
            return self.sellable_places(None, online=served_from == ONLINE)
        return self.sellable_places(frozenset(served_from.split()), online=False)

    def quarantines(self) -> dict[str, Location]:
        """The quarantine location of each store, by its id (a store is made with one; it goes when the store does)."""
        places = [place for place in self.locations.values() if place.kind == "quarantine"]
        places.sort(key=lambda place: (not place.active, place.priority, place.code), reverse=True)
        return {place.store_id: place for place in places}

    def quarantine_of(self, location: Location) -> Location:
        """The quarantine location of a location's store."""
        return self.quarantines()[location.store_id]

    def shows(self, location_id: str, stores: Collection[str] | None) -> bool:
        """May somebody of these stores (None: all) see what lies at the location?

        Goods on the road between two stores are no single store's: who acts in all stores sees them.
        """
        if stores is None:
            return True
        place = self.locations[location_id]
        if place.kind == "transit":
            return all(store.id in stores for store in self.stores.values() if store.active)
        return place.store_id in stores

    def timezone_of(self, location: Location) -> str:
        """The IANA time zone in which a lot's day ends at the location."""
        return self.stores[location.store_id].timezone

    def sellable_places(self, store_ids: frozenset[str] | None, *, online: bool) -> list[Location]:
        """Sellable locations by priority, then code: of those stores, or, `online`, those that ship online."""
        order = self.known_sellable_places.get((store_ids, online))
        if order is None:
            order = sorted(
                (
                    place
                    for place in self.locations.values()
                    if place.active
                    and place.sellable
                    and (store_ids is None or place.store_id in store_ids)
                    and (place.ships_online or not online)
                ),
                key=lambda place: (place.priority, place.code),
            )
            self.known_sellable_places[store_ids, online] = order
        return order
