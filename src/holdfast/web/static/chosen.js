// Rows that are chosen, and what is done to all of them: each is one request with a key of its own, or one document of
// many lines. What was refused stays chosen, and the words say which and why.

import { Attempt, NOT_KNOWN, refusal, typedNumber } from "./api.js";

const LINES_MAX = 1000; // lines of one document

const TITLES = { adjust: "Add or remove units", move: "Move to another location", reorder: "Set the reorder point" };

export class Chosen {
  #facts = new Map();
  #last = null;
  #kind = null;
  #rows = document.getElementById("rows");
  #bar = document.getElementById("chosen");
  #dialog = document.getElementById("many");
  #form = document.querySelector("#many form");
  #attempts = new Map();
  #onDone;

  /** `onDone({ text, ids })` after something was done; `factsOf(row)` are a row's facts. */
  constructor(factsOf, onDone) {
    this.factsOf = factsOf;
    this.#onDone = onDone;
    this.#rows.addEventListener("click", (event) => {
      const box = event.target.closest("[data-choose]");
      if (box) this.choose(box.closest("tr"), { on: box.checked, between: event.shiftKey });
    });
    document.getElementById("stock").addEventListener("change", (event) => {
      if (event.target.id !== "choose-all") return;
      for (const row of this.#rows.rows) this.#keep(row, event.target.checked);
      this.#show();
    });
    this.#bar.addEventListener("click", (event) => {
      const kind = event.target.closest("[data-chosen]")?.dataset.chosen;
      if (kind === "none") this.clear();
      else if (kind) this.#ask(kind);
    });
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog || event.target.closest("[data-close]")) this.#dialog.close();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** Choose a row or not (`on`; without it, turn it round); `between`: all rows since the last one too. */
  choose(row, { on = !this.#facts.has(row.id), between = false } = {}) {
    const all = [...this.#rows.rows];
    const [from, to] = [all.findIndex((one) => one.id === this.#last), all.indexOf(row)];
    const some = between && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [row];
    for (const one of some) this.#keep(one, on);
    this.#last = row.id;
    this.#show();
  }

  clear() {
    const inside = this.#bar.contains(document.activeElement);
    this.#facts.clear();
    this.#show();
    if (inside) this.#rows.querySelector(".row-open")?.focus();
  }

  /** Rows came, went or changed: show again what is chosen of them. */
  refresh() {
    if (!this.#facts.size) return;
    for (const id of this.#facts.keys()) {
      const row = document.getElementById(id);
      if (row) this.#facts.set(id, this.factsOf(row));
    }
    this.#show();
  }

  #keep(row, on) {
    if (on) this.#facts.set(row.id, this.factsOf(row));
    else this.#facts.delete(row.id);
  }

  #show() {
    const count = this.#facts.size;
    for (const row of this.#rows.rows) {
      const on = this.#facts.has(row.id);
      row.querySelector("[data-choose]").checked = on;
      if (on) row.dataset.isChosen = "";
      else delete row.dataset.isChosen;
    }
    const shown = [...this.#rows.rows].filter((row) => this.#facts.has(row.id)).length;
    const box = document.getElementById("choose-all");
    box.checked = shown > 0 && shown === this.#rows.rows.length;
    box.indeterminate = shown > 0 && !box.checked;
    this.#bar.hidden = count === 0;
    document.body.classList.toggle("has-chosen", count > 0);
    this.#bar.querySelector("[data-chosen-count]").textContent = `${count} chosen`;
    const asked = new URLSearchParams([...this.#facts.values()].map(({ id }) => ["level", id]));
    this.#bar.querySelector("[data-chosen-export]").href = `/admin/inventory.csv?${asked}`;
  }

  #ask(kind) {
    this.#kind = kind;
    this.#form.reset();
    this.#problem("");
    this.#attempts.clear();
    for (const part of this.#form.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== kind;
    this.#form.querySelector("[data-many-title]").textContent = TITLES[kind];
    const count = this.#facts.size;
    this.#form.querySelector("[data-many-what]").textContent = `${count} ${count === 1 ? "entry" : "entries"}: each of them.`;
    this.#dialog.showModal();
    this.#form.elements.quantity.focus();
  }

  #problem(text) {
    const place = this.#form.querySelector("[data-problem]");
    place.textContent = text;
    place.hidden = !text;
  }

  async #send() {
    if (this.#form.getAttribute("aria-busy") === "true") return;
    const { quantity } = this.#form.elements;
    const units = typedNumber(quantity);
    const above = this.#kind !== "reorder";
    this.#problem("");
    if (units === null || (above && units === 0)) {
      quantity.setAttribute("aria-invalid", "true");
      quantity.focus();
      return this.#problem(above ? "Give a number above 0." : "Give a number, 0 or more.");
    }
    quantity.removeAttribute("aria-invalid");
    this.#form.setAttribute("aria-busy", "true");
    const steps = this.#steps(units);
    const refused = await this.#each(steps);
    this.#form.removeAttribute("aria-busy");
    const done = steps.filter((step) => step.done).flatMap((step) => step.ids);
    for (const id of done) this.#facts.delete(`level-${id}`);
    this.#show();
    if (refused) this.#problem(`${done.length} done, ${this.#facts.size} not. ${refused}`);
    else this.#dialog.close();
    if (done.length) this.#onDone({ text: `Done for ${done.length} ${done.length === 1 ? "entry" : "entries"}.`, ids: done });
  }

  /** One request after another; the words of the first refusal, or nothing. */
  async #each(steps) {
    const progress = this.#form.querySelector("[data-many-progress]");
    progress.max = steps.length;
    progress.hidden = steps.length < 2;
    let refused = "";
    for (const [index, step] of steps.entries()) {
      const attempt = this.#attempts.get(step.name) ?? new Attempt();
      this.#attempts.set(step.name, attempt);
      try {
        const { ok, document: answer } = await attempt.send(step.request);
        step.done = ok;
        if (!ok) refused ||= `${step.name}: ${refusal(answer)}`;
      } catch {
        refused = NOT_KNOWN;
        break; // the same requests go again when they try again
      }
      progress.value = index + 1;
    }
    progress.hidden = true;
    return refused;
  }

  #steps(units) {
    const { sign, to, reason } = this.#form.elements;
    const chosen = [...this.#facts.values()];
    if (this.#kind === "adjust") {
      return chosen.map(({ id, store_id, product_id, texts }) => {
        const body = { store_id, product_id, location: texts.location, quantity: sign.value === "-" ? -units : units };
        if (reason.value.trim()) body.reason = reason.value.trim();
        return { name: `${texts.sku} at ${texts.location}`, ids: [id], request: { method: "POST", path: "/api/v1/admin/inventory/adjust", body } };
      });
    }
    const places = new Map();
    for (const one of chosen) {
      const { location: place } = one.texts;
      if (!places.has(place)) places.set(place, []);
      places.get(place).push(one);
    }
    return [...places].flatMap(([place, all]) => {
      const parts = [];
      for (let from = 0; from < all.length; from += LINES_MAX) parts.push(all.slice(from, from + LINES_MAX));
      return parts.map((some, index) => ({
        name: parts.length > 1 ? `${place}, part ${index + 1}` : place,
        ids: some.map(({ id }) => id),
        request: this.#kind === "move" ? moved(place, to.value, some, units) : reordered(place, some, units),
      }));
    });
  }
}

function moved(from_location, to_location, some, quantity) {
  const body = { from_location, to_location, lines: some.map(({ product_id }) => ({ product_id, quantity })) };
  return { method: "POST", path: "/api/v1/transfers", body };
}

function reordered(place, some, units) {
  const body = { reorder_points: Object.fromEntries(some.map(({ texts }) => [texts.sku, units])) };
  return { method: "PATCH", path: `/api/v1/locations/${encodeURIComponent(place)}`, body };
}
