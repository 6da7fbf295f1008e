// Which product: the field that takes a scan or words, what it finds, and the products of late.

import { numberText } from "../api.js";
import { fillRows } from "../pos/fill.js";

const SEARCH_MILLISECONDS = 180;

/** A product as a row shows it. */
export function rowOf(product) {
  const known = product.total_available !== undefined;
  const left = !known ? "" : product.unlimited ? "" : numberText(product.total_available);
  return { id: product.id, title: product.title, sku: product.sku, known, left, word: product.unlimited ? "not counted" : "left" };
}

export class ProductField {
  #maker;
  #form = document.getElementById("choose");
  #field = document.getElementById("product-words");
  #title = document.getElementById("found-title");
  #list = document.getElementById("found");
  #makeIt = document.getElementById("make-it");
  #onChosen;
  #onProblem;
  #timer = 0;
  #asked = 0;

  /** `onChosen(product)`; `onProblem(text)` beside the field; `onNew(code)` where the product is to be made. */
  constructor({ maker, onChosen, onProblem, onNew }) {
    this.#maker = maker;
    this.#onChosen = onChosen;
    this.#onProblem = onProblem;
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#typed());
    this.#list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-key]");
      if (row) this.#choose(row.dataset.key);
    });
    this.#list.addEventListener("keydown", (event) => this.#walk(event));
    this.#makeIt?.addEventListener("click", () => onNew(this.#field.value.trim()));
  }

  /** Empty, with the products of late. */
  async open() {
    this.#field.value = "";
    this.#problem("");
    this.#field.focus();
    await this.#showRecent();
  }

  /** A code that a scanner typed somewhere. */
  async take(code) {
    this.#field.value = code;
    await this.#enter(code);
  }

  #problem(text) {
    this.#onProblem(text);
    if (this.#makeIt) this.#makeIt.hidden = true;
  }

  async #showRecent() {
    const turn = (this.#asked += 1);
    const found = await this.#maker.recent();
    if (turn === this.#asked) this.#show(found, found.length ? "Of late" : "");
  }

  #show(found, title) {
    fillRows(this.#list, found.map(rowOf), (row) => row.id);
    if (this.#title.textContent !== title) this.#title.textContent = title;
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#problem("");
    this.#timer = setTimeout(() => this.#search(this.#field.value.trim()), SEARCH_MILLISECONDS);
  }

  /** Show what has the words; answers what was found, null where something newer was asked for. */
  async #search(text) {
    if (!text) {
      await this.#showRecent();
      return null;
    }
    const turn = (this.#asked += 1);
    const found = await this.#maker.find(text);
    if (turn !== this.#asked) return null;
    if (found) this.#show(found, "");
    return found;
  }

  #key(event) {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      this.#list.querySelector("button")?.focus();
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      clearTimeout(this.#timer);
      const text = this.#field.value.trim();
      this.#field.select(); // what is scanned next replaces it
      if (text) this.#enter(text);
    }
  }

  /** A code goes straight to its product, and so do words that one product alone has. */
  async #enter(text) {
    this.#problem("");
    try {
      const product = await this.#maker.scan(text);
      if (product) return this.#onChosen(product);
    } catch {
      return this.#problem("The server could not be reached. Try again.");
    }
    const found = await this.#search(text);
    if (found?.length === 1) return this.#onChosen(found[0]);
    if (found && !found.length) {
      this.#problem(`No product has the code or the name “${text}”.`);
      if (this.#makeIt) this.#makeIt.hidden = false;
    }
  }

  async #choose(id) {
    this.#problem("");
    const product = await this.#maker.product(id);
    if (product) this.#onChosen(product);
    else this.#problem("The product could not be read. Try again.");
  }

  #walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const rows = [...this.#list.querySelectorAll("button")];
    const next = rows[rows.indexOf(document.activeElement) + step];
    (next ?? (step < 0 ? this.#field : null))?.focus();
  }
}
