"""What everybody needs: names, roles, visible focus, and colours that can be told apart (WCAG 2.2 AA)."""

from __future__ import annotations

from itertools import product

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched

TEXT = 4.5
GRAPHIC = 3.0
TEXT_PAIRS = [
    *product(("ink", "muted", "accent"), ("paper", "surface")),
    ("ink", "sunken"),
    ("muted", "sunken"),
    ("ink", "raised"),
    *product(("ink", "muted", "warn"), ("accent-soft",)),
    ("ink", "flash"),
    ("warn", "flash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("warn", "surface"),
    ("warn", "warn-soft"),
    ("bad", "bad-soft"),
    ("surface", "bad"),
    ("paper", "ink"),
    ("on-deep", "deep"),
    ("on-deep-muted", "deep"),
]
GRAPHIC_PAIRS = [
    ("edge", "surface"),
    ("accent", "paper"),
    ("rope", "surface"),
    ("reserved", "surface"),
    ("backordered", "surface"),
    ("on-deep-rope", "deep"),
]

NAMELESS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, dialog, svg[role=img]')]
  .filter((one) => {
    const ids = (one.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean);
    const by = ids.map((id) => document.getElementById(id)?.textContent ?? '');
    const name = one.getAttribute('aria-label') || by.join('').trim() || one.textContent.trim()
      || [...(one.labels ?? [])].map((label) => label.textContent.trim()).join('');
    return !name;
  }).map((one) => one.outerHTML.slice(0, 120))"""

DOUBLED_IDS = """() => {
  const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}"""

DANGLING = """() => ['aria-labelledby', 'aria-describedby', 'aria-controls'].flatMap((name) =>
  [...document.querySelectorAll(`[${name}]`)].flatMap((one) => one.getAttribute(name).split(' '))
).filter((id) => id && !document.getElementById(id))"""

PALETTE = """(names) => Object.fromEntries(names.map((name) => {
  const probe = document.createElement('i');
  document.body.append(probe);
  probe.style.color = `var(--${name})`;
  const numbers = getComputedStyle(probe).color.match(/[0-9.]+/g).map(Number);
  probe.remove();
  return [name, numbers.slice(0, 3)];
}))"""


def luminance(colour: list[float]) -> float:
    """The relative luminance of an sRGB colour, by WCAG's formula."""
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "watched", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
def test_the_palette_has_enough_contrast(page: Page) -> None:
    names = sorted({name for pair in (*TEXT_PAIRS, *GRAPHIC_PAIRS) for name in pair})
    colours = page.evaluate(PALETTE, names)

    ratios = {pair: (contrast(colours[pair[0]], colours[pair[1]]), TEXT) for pair in TEXT_PAIRS}
    ratios |= {pair: (contrast(colours[pair[0]], colours[pair[1]]), GRAPHIC) for pair in GRAPHIC_PAIRS}
    assert {pair: round(ratio, 2) for pair, (ratio, least) in ratios.items() if ratio < least} == {}


def test_everything_has_a_name_and_points_to_what_exists(page: Page) -> None:
    page.locator(".row-open").first.click()

    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(DOUBLED_IDS) == []
    assert page.evaluate(DANGLING) == []
    assert page.evaluate("document.documentElement.lang") == "en"


def test_landmarks_and_one_heading(page: Page) -> None:
    for role in ("banner", "navigation", "main", "contentinfo", "search"):
        expect(page.get_by_role(role)).to_have_count(1)  # type: ignore[arg-type] # roles by name
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("[aria-live=polite]")).not_to_have_count(0)


@pytest.mark.parametrize("watched", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_cards_are_still_a_table_for_who_listens(page: Page) -> None:
    table = page.get_by_role("table", name="Stock by product and location")

    expect(table.get_by_role("row")).to_have_count(4)
    expect(table.get_by_role("columnheader")).to_have_count(9)
    expect(table.get_by_role("rowheader")).to_have_count(3)


def test_the_skip_link_is_first_and_leads_to_the_content(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_focus_can_be_seen(page: Page) -> None:
    page.keyboard.press("Tab")
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "() => { const one = document.activeElement;"
                " return ['', '::after'].some((part) => getComputedStyle(one, part).outlineStyle === 'solid'"
                " && parseFloat(getComputedStyle(one, part).outlineWidth) >= 2) || one.outerHTML.slice(0, 90); }"
            )
        )
    assert [one for one in seen if one is not True] == []


@pytest.mark.parametrize("watched", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_moves_for_who_does_not_want_it(page: Page, watched: Watched) -> None:
    watched.site.reserve("MUG-1", 1)
    expect(page.locator(".figure-reserved .figure-value")).to_have_text("4")

    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("watched", [{"viewport": {"width": 768, "height": 1024}}], indirect=True)
def test_the_dialog_keeps_focus_inside(page: Page) -> None:
    page.locator(".row-open").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    tabs = dialog.get_by_role("tab")
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    expect(dialog.get_by_role("tabpanel")).to_have_count(1)


TOO_SMALL = """() => {
  const fields = 'input:not([type=hidden], [type=radio], [type=checkbox])';
  const parts = `a, button, summary, select, ${fields}, label:has(input[type=checkbox]), .signs label, .choices label`;
  const inside = document.querySelector('dialog:modal') ?? document.body;
  const unseen = innerWidth < 768 ? ', .inventory thead *' : '';
  return [...inside.querySelectorAll(parts)]
    .filter((one) => one.checkVisibility() && !one.matches(`.skip, p a, .row-open, .away, .brand${unseen}`))
    .map((one) => [one.getBoundingClientRect(), one.outerHTML.slice(0, 90)])
    .filter(([{ width, height }]) => width && (width < 43.5 || height < 43.5))
    .map(([{ width, height }, text]) => `${width} x ${height} ${text}`);
}"""
"""What a finger does not hit; links in a text, and what lies over a whole row, are large enough otherwise."""


@pytest.mark.parametrize(
    "watched",
    [{"viewport": {"width": 768, "height": 1024}}, {"viewport": {"width": 390, "height": 844}}],
    indirect=True,
    ids=["tablet", "phone"],
)
def test_fingers_hit_everything(page: Page) -> None:
    if page.locator(".filters-fold").is_visible():
        page.locator(".filters-fold").click()
    assert page.evaluate(TOO_SMALL) == []

    page.locator(".row-open").first.click()
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate(TOO_SMALL) == []
    page.keyboard.press("Escape")
    page.locator("#views summary").click()
    assert page.evaluate(TOO_SMALL) == []


@pytest.mark.parametrize("watched", [{"color_scheme": "dark"}], indirect=True)
def test_what_opens_has_names_too(page: Page) -> None:
    page.locator("#views summary").click()
    assert page.evaluate(NAMELESS) == []
    page.get_by_label("Choose all rows that are shown").check()
    for kind in ("Adjust", "Move", "Reorder point"):
        page.get_by_role("region", name="Chosen rows").get_by_role("button", name=kind).click()
        assert page.evaluate(NAMELESS) == [] and page.evaluate(DANGLING) == []
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Receive goods").click()
    assert page.evaluate(NAMELESS) == [] and page.evaluate(DOUBLED_IDS) == []
