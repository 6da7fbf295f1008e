"""What Arco Iris sells: every product of the demo, as the fields of an `Add` command.

A GTIN begins with 20: numbers that every shop may give to its own goods, so none of them is anybody's.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from holdfast.core.records.number import from_minor

MINOR_DIGITS = 2
"""Of the euro."""

_GOODS: list[tuple[str, str, int]] = [
    # Home: SKU, title, price in cents
    ("MUG-CORAL", "Stoneware mug, coral", 1490),
    ("MUG-SAFFRON", "Stoneware mug, saffron", 1490),
    ("MUG-MOSS", "Stoneware mug, moss", 1490),
    ("MUG-COBALT", "Stoneware mug, cobalt", 1490),
    ("MUG-PLUM", "Stoneware mug, plum", 1490),
    ("ESPRESSO-CUP-WHITE", "Espresso cup with saucer, white", 1190),
    ("ESPRESSO-CUP-BLACK", "Espresso cup with saucer, black", 1190),
    ("BOWL-S", "Breakfast bowl, small", 1290),
    ("BOWL-M", "Breakfast bowl, medium", 1690),
    ("BOWL-L", "Salad bowl, large", 3490),
    ("PLATE-21", "Dessert plate 21 cm", 1590),
    ("PLATE-27", "Dinner plate 27 cm", 1990),
    ("PLATTER-OVAL", "Oval platter, hand painted", 4290),
    ("JUG-1L", "Water jug 1 l", 3690),
    ("CARAFE-GLASS", "Glass carafe, recycled", 2490),
    ("TUMBLER-4", "Tumblers, set of four", 2890),
    ("WINE-GLASS-2", "Wine glasses, set of two", 2690),
    ("VASE-TALL", "Vase Torre, tall", 5490),
    ("VASE-ROUND", "Vase Lua, round", 4490),
    ("VASE-BUD", "Bud vase", 1890),
    ("CANDLE-FIG", "Soy candle, fig", 2290),
    ("CANDLE-CEDAR", "Soy candle, cedar", 2290),
    ("CANDLE-SEA", "Soy candle, sea salt", 2290),
    ("CANDLE-TIN", "Travel candle in a tin", 1290),
    ("CANDLESTICK-BRASS", "Candlestick, brass", 2990),
    ("CUSHION-STRIPE", "Cushion cover, striped", 2790),
    ("CUSHION-LINEN", "Cushion cover, linen", 3290),
    ("BLANKET-WOOL", "Wool blanket, Serra", 8990),
    ("BLANKET-COTTON", "Cotton throw, rainbow", 5990),
    ("TOWEL-TEA-2", "Tea towels, set of two", 1690),
    ("TOWEL-BATH", "Bath towel, waffle", 3490),
    ("APRON-LINEN", "Linen apron", 3890),
    ("OVEN-MITT", "Oven mitt", 1590),
    ("BASKET-S", "Palm basket, small", 2490),
    ("BASKET-L", "Palm basket, large", 4490),
    ("MIRROR-ROUND", "Round mirror, oak", 7990),
    ("CLOCK-WALL", "Wall clock, cork", 4990),
    ("FRAME-A4", "Picture frame A4, oak", 2490),
    ("POSTER-TRAM", "Poster, tram 28", 1990),
    ("POSTER-SARDINES", "Poster, sardines", 1990),
    ("TRAY-CORK", "Serving tray, cork", 3290),
    ("COASTER-6", "Cork coasters, set of six", 1290),
    ("BOARD-OLIVE", "Chopping board, olive wood", 3990),
    ("SPOON-OLIVE", "Cooking spoon, olive wood", 1190),
    ("LAMP-TABLE", "Table lamp, paper shade", 6990),
    ("PLANTER-S", "Planter, terracotta, small", 1490),
    ("PLANTER-L", "Planter, terracotta, large", 3490),
    ("WATERING-CAN", "Watering can, zinc", 3290),
    # Stationery
    ("NOTEBOOK-A5", "Notebook A5, dotted", 1290),
    ("NOTEBOOK-A6", "Notebook A6, plain", 890),
    ("PLANNER", "Weekly planner, undated", 1890),
    ("PENCILS-12", "Coloured pencils, twelve", 1590),
    ("PEN-BRASS", "Ballpoint pen, brass", 2290),
    ("CARDS-8", "Greeting cards, set of eight", 1490),
    ("STICKERS", "Sticker sheet, rainbow", 490),
    ("TAPE-3", "Paper tape, set of three", 990),
    ("PUZZLE-500", "Puzzle, rooftops, 500 pieces", 2490),
    ("CARD-GAME", "Card game Cores", 1690),
    ("KITE", "Kite, rainbow", 2990),
    ("SPINNING-TOP", "Wooden spinning top", 890),
    ("BLOCKS-24", "Building blocks, 24", 3290),
    # Coffee gear
    ("GRINDER-HAND", "Hand grinder, steel", 7990),
    ("DRIPPER-V", "Coffee dripper, ceramic", 2490),
    ("FILTERS-100", "Paper filters, one hundred", 690),
    ("FRENCH-PRESS", "French press 0.8 l", 3990),
    ("MOKA-3", "Moka pot, three cups", 3490),
    ("MOKA-6", "Moka pot, six cups", 4490),
    ("KETTLE-GOOSE", "Gooseneck kettle", 6990),
    ("SCALE-COFFEE", "Coffee scale with timer", 4990),
    ("CUP-TRAVEL", "Travel cup, cork sleeve", 2290),
]
_COFFEES = (("ETHIOPIA", "Yirgacheffe"), ("COLOMBIA", "Huila"), ("BRAZIL", "Cerrado"), ("HOUSE", "house blend"))
_SACHETS = (("250", "250 g", 990), ("1KG", "1 kg", 3290))
_TEAS = (("GREEN", "green, Azores"), ("BLACK", "black, Azores"), ("LEMON", "lemon verbena"), ("MINT", "mint"))
_CARE = (
    ("SOAP", "Soap bar", 690, ("LAVENDER", "ORANGE", "CHARCOAL", "OLIVE", "ROSE", "UNSCENTED")),
    ("BALM", "Lip balm", 590, ("HONEY", "MINT", "FIG")),
    ("CREAM", "Hand cream 75 ml", 1690, ("LAVENDER", "FIG", "UNSCENTED")),
    ("BUTTER", "Body butter 200 ml", 2490, ("ORANGE", "ROSE", "COCOA")),
    ("OIL", "Face oil 30 ml", 2990, ("ROSE", "ARGAN", "SEABUCKTHORN")),
    ("TONER", "Face toner 100 ml", 1890, ("ROSE", "CUCUMBER")),
    ("MASK", "Clay mask 60 ml", 2190, ("GREEN", "PINK")),
    ("SHAMPOO", "Shampoo bar", 1190, ("NETTLE", "COCOA", "LEMON")),
    ("SALT", "Bath salt 400 g", 1490, ("EUCALYPTUS", "LAVENDER")),
    ("SCRUB", "Coffee scrub 200 ml", 1890, ("ORANGE", "MINT")),
)
_CLOTHES = (
    ("TEE-SUN", "T-shirt Sol", 2690, ("XS", "S", "M", "L", "XL")),
    ("TEE-WAVE", "T-shirt Onda", 2690, ("XS", "S", "M", "L", "XL")),
    ("TEE-WHITE", "T-shirt, organic cotton, white", 2290, ("XS", "S", "M", "L", "XL", "XXL")),
    ("TEE-BLACK", "T-shirt, organic cotton, black", 2290, ("XS", "S", "M", "L", "XL", "XXL")),
    ("TEE-RED", "T-shirt, organic cotton, red", 2290, ("XS", "S", "M", "L", "XL", "XXL")),
    ("HOODIE-SKY", "Hoodie Arco, sky", 5990, ("S", "M", "L", "XL")),
    ("HOODIE-SAND", "Hoodie Arco, sand", 5990, ("S", "M", "L", "XL")),
    ("SWEATER", "Fisherman's sweater", 8990, ("S", "M", "L", "XL")),
    ("SHIRT-LINEN", "Linen shirt", 6490, ("S", "M", "L", "XL")),
    ("SOCKS", "Striped socks", 1190, ("36-40", "41-45")),
    ("SLIPPERS", "Felt slippers", 3990, ("37", "39", "41", "43")),
    ("RAINCOAT", "Raincoat, yellow", 8990, ("S", "M", "L")),
    ("ESPADRILLES", "Espadrilles", 3490, ("37", "38", "39", "40", "41", "42")),
)
_ACCESSORIES = (
    ("CAP", "Cap, corduroy", 2490),
    ("BEANIE", "Beanie, merino", 2990),
    ("SCARF", "Scarf, rainbow", 3990),
    ("TOTE", "Tote bag", 1490),
    ("BACKPACK", "Backpack, canvas", 6990),
    ("UMBRELLA", "Umbrella, rainbow", 2990),
)


def check_digit(digits: str) -> str:
    """The last digit of a GTIN, which checks the ones before it."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-weighted % 10)


def _products() -> list[dict[str, Any]]:
    numbers = count(100_001)

    def product(sku: str, title: str, price: int, **more: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {"sku": sku, "title": title, "price": from_minor(price, MINOR_DIGITS), **more}
        if fields.get("kind", "physical") == "physical":
            digits = f"200000{next(numbers)}"
            fields["gtin"] = digits + check_digit(digits)
        return fields

    food: dict[str, Any] = {"tax_class": "reduced", "track_expiry": True}
    found = [product(sku, title, price, tax_class="standard", supplier="Casa Alta") for sku, title, price in _GOODS]
    for code, origin in _COFFEES:
        for size, weight, price in _SACHETS:
            more = {**food, "supplier": "Torra Lenta", "reorder_point": 8}
            found.append(product(f"COFFEE-{code}-{size}", f"Coffee beans {origin}, {weight}", price, **more))
    found.append(
        product("COFFEE-LOOSE", "Coffee beans by weight (kg)", 3400, precision=3, supplier="Torra Lenta", **food)
    )
    for code, kind in _TEAS:
        found.append(product(f"TEA-{code}", f"Tea {kind}, 50 g", 790, supplier="Chá da Ilha", **food))
    for code, title, price, scents in _CARE:
        for scent in scents:
            more = {"tax_class": "standard", "track_expiry": True, "supplier": "Our own workshop", "reorder_point": 6}
            found.append(product(f"{code}-{scent}", f"{title}, {scent.lower()}", price, **more))
    for code, title, price, sizes in _CLOTHES:
        for size in sizes:
            more = {"tax_class": "standard", "supplier": "Malhas do Ave"}
            found.append(product(f"{code}-{size}", f"{title}, {size}", price, **more))
    for sku, title, price in _ACCESSORIES:
        found.append(product(sku, title, price, tax_class="standard", supplier="Malhas do Ave"))
    found += [
        product(BACKORDER, "Oak shelf, made to order", 12900, oversell="backorder", supplier="Marcenaria Pinho"),
        product(PREORDER, "Rainbow lamp, second edition", 14900, oversell="preorder", preorder_limit=30),
        product("CHAIR-GARDEN", "Garden chair, sent by the maker", 9900, dropship=True, oversell="backorder"),
        product("GIFT-25", "Gift card 25", 2500, kind="gift_card"),
        product("GIFT-50", "Gift card 50", 5000, kind="gift_card"),
        product("GIFT-100", "Gift card 100", 10000, kind="gift_card"),
        product("PATTERN-SOCKS", "Knitting pattern, striped socks (PDF)", 600, kind="digital"),
        product("WORKSHOP-SOAP", "Workshop: make your own soap", 4500, kind="service"),
        product("WORKSHOP-CERAMIC", "Workshop: throw a bowl", 6500, kind="service"),
        product("WORKSHOP-LATTE", "Workshop: latte art", 3500, kind="service"),
        product("GIFT-WRAP", "Gift wrapping", 300, kind="service"),
        product("COFFEE-CLUB", "Coffee club, monthly", 2200, kind="subscription"),
    ]
    return found


BACKORDER = "SHELF-OAK"
PREORDER = "LAMP-RAINBOW-2"
RECALLED = "CREAM-LAVENDER"
SOLD_BY_WEIGHT = "COFFEE-LOOSE"
MADE_HERE = tuple(f"{code}-{scent}" for code, _, _, scents in _CARE for scent in scents)

PRODUCTS: list[dict[str, Any]] = _products()
"""The fields of every product (`core.organisation.products.AddProduct`)."""
