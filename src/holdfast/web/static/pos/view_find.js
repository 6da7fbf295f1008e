// The scan field, what it finds, and the quick keys. On Enter everything in the field is one scan, and it is empty.

import { byId } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";

const SEARCH_MILLISECONDS = 180;
const FOUND_MAX = 12;

export class FindView {
  #till;
  #field = byId("scan");
  #found = { words: "", items: [], at: -1 };
  #search = null;
  #timer = 0;

  constructor({ till }) {
    this.#till = till;
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#typed());
    byId("results").addEventListener("click", (event) => {
      const row = event.target.closest("[data-key]");
      if (row) this.#add(this.#found.items.find((one) => one.id === row.dataset.key));
    });
    byId("quick").addEventListener("click", (event) => {
      const key = event.target.closest("[data-key]");
      if (!key) return;
      till.cart.addProduct(key.dataset.key, key.textContent.trim());
      this.focus();
    });
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  /** Choose among what was found; false where nothing was. */
  move(step) {
    if (!this.#found.items.length) return false;
    const last = this.#found.items.length - 1;
    this.#found.at = Math.max(0, Math.min(last, this.#found.at + step));
    this.#show();
    return true;
  }

  /** Take away what was typed and found; false where there was nothing. */
  clear() {
    const had = this.#field.value !== "" || this.#found.items.length > 0;
    this.#field.value = "";
    this.#forget();
    return had;
  }

  show(state) {
    const times = byId("times");
    const mark = state.checking ? "Price of" : state.times ? `${state.times} ×` : "";
    times.hidden = !mark;
    if (times.textContent !== mark) times.textContent = mark;
    this.#last(state);
    const keys = (state.till?.quick_keys ?? []).map((key) => ({ ...key }));
    byId("keys").hidden = !keys.length;
    byId("keys-title").textContent = state.till?.keys_are === "chosen" ? "Quick keys" : "Sold most";
    fillRows(byId("quick"), keys, (key) => key.product_id, colour);
  }

  #last({ last, till }) {
    const place = byId("last");
    const text = last ? stockWords(last, till?.currency) : "";
    if (place.textContent !== text) place.textContent = text;
    place.classList.toggle("is-price", Boolean(last?.checked));
  }

  #key(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    const text = this.#field.value.trim();
    const chosen = this.#found.items[this.#found.at];
    this.#field.value = "";
    if (chosen) {
      this.#add(chosen);
      return;
    }
    if (text) {
      this.#scan(text);
      return;
    }
    if (this.#till.state.receipt) this.#till.payment.next();
  }

  /** A scan, or words that somebody typed: words are searched for where no product has them as its code. */
  async #scan(text) {
    this.#forget();
    const before = this.#till.state.unknown;
    const words = /^[^\d=*]+$/.test(text) || /\s/.test(text);
    const answer = await this.#till.cart.scan(text);
    if (!words || !answer || answer.ok || this.#till.state.unknown === before || this.#field.value) return;
    const found = await this.#ask(text);
    if (!found?.length || this.#field.value) return;
    this.#till.cart.forget(text);
    this.#found = { words: text, items: found, at: 0 };
    this.#show();
  }

  #typed() {
    clearTimeout(this.#timer);
    const text = this.#field.value.trim();
    if (this.#till.state.receipt && text) this.#till.payment.next();
    if (text.length < 2 || text.startsWith("=") || /^\d+\*?/.test(text)) {
      this.#forget();
      return;
    }
    this.#timer = setTimeout(async () => {
      const found = await this.#ask(text);
      if (found === null || this.#field.value.trim() !== text) return;
      this.#found = { words: text, items: found, at: -1 };
      this.#show();
    }, SEARCH_MILLISECONDS);
  }

  /** The products that have all the words; null where they cannot be asked for. */
  async #ask(text) {
    this.#search?.abort();
    this.#search = new AbortController();
    const found = await this.#till.readQuietly(`/products?search=${encodeURIComponent(text)}&active=true&limit=${FOUND_MAX}`, this.#search.signal);
    return found === null ? null : (found.items ?? found);
  }

  #add(product) {
    this.#field.value = "";
    this.#forget();
    this.#till.cart.addProduct(product.id, product.title);
    this.focus();
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#search?.abort();
    if (this.#found.words === "" && !this.#found.items.length) return;
    this.#found = { words: "", items: [], at: -1 };
    this.#show();
  }

  #show() {
    const { words, items, at } = this.#found;
    const place = byId("found");
    place.hidden = words === "";
    const many = items.length >= FOUND_MAX ? `The first ${FOUND_MAX} for “${words}”` : `${items.length} for “${words}”`;
    fill(place, { title: items.length ? many : `Nothing for “${words}”. Fewer letters find more.` });
    const rows = items.map((one, index) => ({
      id: one.id,
      title: one.title,
      sku: one.sku,
      price: one.price ?? "no price",
      stock: one.unlimited ? "" : `${one.total_available} here`,
      chosen: index === at ? "yes" : null,
    }));
    fillRows(byId("results"), rows, (row) => row.id);
  }
}

/** A key of a register may have a colour: it is set from here, because a style in the page would be refused. */
function colour(row, key) {
  if (key.colour) row.style.setProperty("--key", key.colour);
}

function stockWords(last, currency) {
  const elsewhere = last.available_elsewhere.slice(0, 3).map((one) => `${one.available} at ${one.store_name}`);
  const here = last.available >= 1_000_000 ? [] : [`${last.available} left here`];
  const stock = [...here, ...elsewhere].join(", ");
  const price = last.checked ? `: ${last.price ?? "no price"} ${last.price ? (currency ?? "") : ""}` : "";
  return `${last.title}${price}${stock ? `. ${stock}.` : "."}`;
}
