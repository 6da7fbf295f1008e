// The frame of every page: menus that close, the look that changes at once, the store switch, keys that all pages have.

for (const part of document.querySelectorAll("[data-without-script]")) part.hidden = true;

// Menus --------------------------------------------------------------------------------------------------------------

function close(menu) {
  const inside = menu.contains(document.activeElement);
  menu.open = false;
  if (inside) menu.querySelector("summary").focus();
}

const menus = [...document.querySelectorAll("details[data-menu]")];
document.addEventListener("click", (event) => {
  for (const menu of menus) if (menu.open && !menu.contains(event.target)) menu.open = false;
});
document.addEventListener(
  "keydown",
  (event) => {
    const open = event.key === "Escape" && menus.find((menu) => menu.open);
    if (!open) return;
    event.stopPropagation(); // Esc closes the nearest thing, and nothing else
    close(open);
  },
  { capture: true },
);
for (const menu of menus) {
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}

// Look and store -----------------------------------------------------------------------------------------------------

const looks = [...document.querySelectorAll("form[data-look]")];
for (const form of looks) {
  form.addEventListener("change", () => {
    const { theme, density } = Object.fromEntries(new FormData(form));
    const root = document.documentElement;
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    root.dataset.density = density;
    document.querySelector("meta[name=color-scheme]").content = theme === "system" ? "light dark" : theme;
    for (const other of looks) {
      other.elements.theme.value = theme;
      other.elements.density.value = density;
    }
    // It is kept for the next page; where that fails, this page has it all the same.
    const body = new URLSearchParams({ theme, density, next: "/healthz" });
    fetch(form.action, { method: "POST", body, credentials: "same-origin", redirect: "manual" }).catch(() => {});
  });
}

for (const form of document.querySelectorAll("form[data-stores]")) {
  form.addEventListener("change", () => form.requestSubmit());
  // Somebody was quicker than this script: the store that is chosen is not the one that is shown.
  const chosen = form.elements.store.selectedOptions[0];
  const shown = [...form.elements.store.options].find((one) => one.defaultSelected) ?? form.elements.store.options[0];
  if (chosen !== shown) form.requestSubmit();
}

// Keys of all pages --------------------------------------------------------------------------------------------------

const keys = document.getElementById("keys");

function helpWithKeys() {
  if (!keys || document.querySelector("dialog[open]")) return;
  keys.showModal();
}

for (const button of document.querySelectorAll("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", helpWithKeys);
}
keys?.addEventListener("click", (event) => {
  if (event.target === keys || event.target.closest("[data-close]")) keys.close();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const writes = event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea");
  const search = document.querySelector("[data-search]");
  const finds = event.key === "F1" || (event.key === "/" && !writes);
  if (finds && search && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?" && !writes && keys) {
    event.preventDefault();
    helpWithKeys();
  }
});
