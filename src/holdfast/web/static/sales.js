// The list of sales: filters without reloading, rows that follow what happens, and keys. The server renders every row.

import { followLive } from "./live.js";
import { fetchPart, filtersOf, flash, morph, showRows } from "./partials.js";
import { say, toast } from "./words.js";

const PATH = "/admin/sales";
const TYPING_MILLISECONDS = 220; // of silence before a search goes out
const LIST_MILLISECONDS = 1000; // at most one look for new rows in this time
const LIST_MAX = 200; // rows of one list, as the server allows

const form = document.getElementById("filters");
const rows = document.getElementById("rows");
const list = document.getElementById("list");
const search = document.getElementById("search");
const liveButton = document.getElementById("live");

// Filters ------------------------------------------------------------------------------------------------------------

let listing = null;
let generation = 0; // grows with every change of filters, so that a late answer to older ones is dropped
let typing = 0;

/** The list anew; `step`: a step that the way back undoes. */
async function filter({ step = false } = {}) {
  clearTimeout(typing);
  generation += 1;
  listing?.abort();
  listing = new AbortController();
  const asked = filtersOf(form);
  const address = asked.size ? `?${asked}` : location.pathname;
  list.setAttribute("aria-busy", "true");
  showFold();
  try {
    const part = await fetchPart(`${PATH}/rows?${asked}`, listing.signal);
    if (step) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    document.getElementById("picking").href = `${PATH}/picking?${asked}`;
    asked.delete("store");
    replaceRows(part, asked.size > 0);
    say(rows.rows.length ? `${rows.rows.length} sales are shown.` : document.querySelector(".nothing-title").textContent);
  } catch (error) {
    if (error.name === "AbortError") return;
    toast("The list could not be read. Try again in a moment.");
  }
  list.removeAttribute("aria-busy");
}

function replaceRows(part, narrowed) {
  showRows(part, list, rows, narrowed);
  applyRest(part);
}

function applyRest(part) {
  for (const id of ["more", "nothing"]) document.getElementById(id).replaceWith(document.importNode(part.getElementById(id), true));
  morph(document.getElementById("tabs"), part.getElementById("tabs"), flash);
}

/** The form as an address has it: a tab, a way back. */
function follow(address, step) {
  const asked = new URL(address, location.href).searchParams;
  if ((asked.get("store") ?? "") !== (form.elements.store?.value ?? "")) return location.assign(address);
  for (const field of form.elements) if (field.name && field.name !== "store") field.value = asked.get(field.name) ?? "";
  filter({ step });
}

function clearFilters() {
  for (const field of form.elements) if (field.name && field.name !== "store") field.value = "";
  filter({ step: true });
  search.focus();
}

/** On a phone the filters fold into a button that says how many are on. */
const fold = form.querySelector(".filters-fold");
function showFold() {
  const on = ["source", "day"].filter((name) => form.elements[name].value).length;
  fold.querySelector(".filters-on").textContent = on ? `(${on} on)` : "";
}
fold.hidden = false;
fold.addEventListener("click", () => fold.setAttribute("aria-expanded", String(form.classList.toggle("is-unfolded"))));
form.classList.add("has-fold");
showFold();

async function showMore(link) {
  link.setAttribute("aria-disabled", "true");
  const last = rows.rows.length;
  const since = generation;
  try {
    const part = await fetchPart(link.href.replace(`${PATH}?`, `${PATH}/rows?`));
    if (since !== generation) return;
    for (const row of part.querySelector("tbody").rows) {
      if (!document.getElementById(row.id)) rows.append(document.importNode(row, true));
    }
    document.getElementById("more").replaceWith(document.importNode(part.getElementById("more"), true));
    if (rows.rows.length) document.getElementById("nothing").hidden = true;
    (opener(rows.rows[last]) ?? document.querySelector("[data-more]"))?.focus();
    say(`${rows.rows.length} sales are shown.`);
  } catch {
    link.removeAttribute("aria-disabled");
    toast("The next sales could not be read. Try again in a moment.");
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  filter();
  search.select(); // what is scanned next replaces this
});
form.addEventListener("input", ({ target }) => {
  clearTimeout(typing);
  typing = setTimeout(filter, target === search ? TYPING_MILLISECONDS : 0);
});
window.addEventListener("popstate", () => follow(location.href, false));
document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const part = event.target.closest("[data-clear], [data-filters], [data-more]");
  if (!part) return;
  event.preventDefault();
  if (part.matches("[data-clear]")) clearFilters();
  else if (part.matches("[data-more]")) showMore(part);
  else follow(part.href, true);
});

// What happens meanwhile ---------------------------------------------------------------------------------------------

let reading = false;
let planned = 0;

function plan() {
  if (!planned && !reading) planned = setTimeout(readAgain, LIST_MILLISECONDS);
}

async function readAgain() {
  planned = 0;
  const since = generation;
  if (rows.rows.length > LIST_MAX) return; // a list that was paged so far down is read from its top again on purpose
  reading = true;
  const asked = filtersOf(form);
  asked.set("limit", String(Math.max(50, rows.rows.length)));
  try {
    const part = await fetchPart(`${PATH}/rows?${asked}`);
    if (since === generation) applyList(part);
  } catch {
    planned = setTimeout(readAgain, 3 * LIST_MILLISECONDS);
  }
  reading = false;
}

/** The whole list again: new rows come in where they belong, rows that belong no more go unless somebody is on them. */
function applyList(part) {
  const fresh = [...part.querySelector("tbody").rows];
  const names = new Set(fresh.map((row) => row.id));
  for (const row of [...rows.rows]) if (!names.has(row.id) && !row.contains(document.activeElement)) row.remove();
  let place = rows.firstElementChild;
  for (const now of fresh) {
    const row = document.getElementById(now.id);
    if (row) {
      morph(row, now, flash);
      place = row.nextElementSibling;
      continue;
    }
    const added = document.importNode(now, true);
    rows.insertBefore(added, place);
    added.querySelectorAll("[data-live]").forEach(flash);
  }
  applyRest(part);
}

followLive(liveButton, { kinds: liveButton.dataset.kinds.split(" "), onEvent: plan, onMissed: plan, say });

// Keys ---------------------------------------------------------------------------------------------------------------

const MOVES = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };

function opener(row) {
  return row?.querySelector(".row-link") ?? null;
}

function moveBy(step) {
  const all = [...rows.rows];
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[at === -1 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  opener(next)?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target === search) {
    if (event.key === "Escape" && search.value) {
      search.value = "";
      filter();
    } else if (event.key === "Escape") search.blur();
    else if (event.key === "ArrowDown") {
      event.preventDefault();
      opener(rows.rows[0])?.focus();
    }
    return;
  }
  if (event.target.closest("input, select, textarea, [data-menu]") || !(event.key in MOVES)) return;
  if (event.key.length > 1 && !rows.contains(event.target)) return;
  event.preventDefault();
  moveBy(MOVES[event.key]);
});
