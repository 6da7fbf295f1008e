// What makers do, as the API does it. There is no DOM here, and no quantity or amount is added up.
//
//   const maker = new Maker({ store: "" });
//   await maker.sold({ product, quantity: 2, place, paid: "cash" });     -> { ok, text, undo } or { ok: false, ... }
//
// A refusal is { ok: false, field, text }: `field` is the field that it stands beside. A promise that is rejected means
// that no answer came; the same act sent again is never done twice.

import { Attempt, numberText, read, refusal } from "../api.js";

const API = "/api/v1";
const FOUND_MAX = 12;
const RECENT_MAX = 6;
const ENTRIES_READ = 24; // a product has an entry for each location

/** Beside which field each refusal stands. */
const FIELDS = {
  INVALID_QUANTITY: "quantity",
  INSUFFICIENT_STOCK: "quantity",
  INSUFFICIENT_RESERVED: "quantity",
  PRODUCT_NOT_STOCK_TRACKED: "product",
  PRODUCT_NOT_FOUND: "product",
  LOCATION_NOT_FOUND: "place",
  INVALID_EXPIRY: "expires",
  LOT_NOT_AVAILABLE: "lot",
  PRICE_MISMATCH: "price",
};

export class Maker {
  #store;
  #receiving = new Attempt();
  #opening = new Attempt();
  #completing = new Attempt();
  #cancelling = new Attempt();
  #counting = new Attempt();
  #making = new Attempt();
  #begun = null; // a sale that is not known to be completed: { same, sale, asked }

  /** `store` is the id of the store whose stock is shown ("": all). */
  constructor({ store = "" } = {}) {
    this.#store = store ? `&store_id=${encodeURIComponent(store)}` : "";
  }

  // What there is -----------------------------------------------------------------------------------------------------

  /** A page of products by their titles: { items, next_cursor }; null where it cannot be had. */
  async list({ words = "", cursor = "", limit }) {
    const asked = new URLSearchParams({ active: "true", sort: "title", limit: String(limit) });
    if (words) asked.set("search", words);
    if (cursor) asked.set("cursor", cursor);
    return this.#quietly(`/products?${asked}${this.#store}`);
  }

  /** Products that have all the words. */
  async find(words) {
    return (await this.list({ words, limit: FOUND_MAX }))?.items ?? null;
  }

  /** The products whose stock changed last. */
  async recent() {
    const page = await this.#quietly(`/store/inventory?sort=-changed&sellable=true&limit=${ENTRIES_READ}${this.#store}`);
    const seen = new Map();
    for (const entry of page?.items ?? []) {
      if (!seen.has(entry.product_id)) seen.set(entry.product_id, { id: entry.product_id, title: entry.product_title, sku: entry.sku });
    }
    return [...seen.values()].slice(0, RECENT_MAX);
  }

  /** A product as it is now, null where it cannot be had. */
  async product(id) {
    return this.#quietly(`/products/${encodeURIComponent(id)}?${this.#store.slice(1)}`);
  }

  /** How much of a product is left at each location, by code; empty where that cannot be had. */
  async leftByPlace(product) {
    const found = await this.#quietly(`/store/inventory/product/${encodeURIComponent(product.id)}?${this.#store.slice(1)}`);
    return new Map((found?.locations ?? []).map((one) => [one.location, one.available_quantity]));
  }

  /** The product that has the code; null where none has. Throws where there is no answer. */
  async scan(code) {
    const found = await read(`${API}/scan?code=${encodeURIComponent(code)}${this.#store}`);
    return found.ok ? this.product(found.document.product_id) : null;
  }

  async #quietly(path) {
    try {
      const found = await read(API + path);
      return found.ok ? found.document : null;
    } catch {
      return null;
    }
  }

  /** How much is left now, in words; "" where that cannot be had. */
  async #leftOf(product) {
    const now = await this.product(product.id);
    return now && !now.unlimited ? ` ${numberText(now.total_available)} left.` : "";
  }

  // What is done ------------------------------------------------------------------------------------------------------

  /** A batch that is finished. `manages`: may it be taken back? */
  async made({ product, quantity, place, lot, cost, expires, manages }) {
    const line = { product_id: product.id, quantity };
    if (lot) line.lot_code = lot;
    if (cost) line.unit_cost = cost;
    if (expires) line.expires_at = expires;
    const body = { location: place.code, kind: "finished_batch", lines: [line] };
    const { ok, document } = await this.#receiving.send({ method: "POST", path: `${API}/receipts`, body });
    if (!ok) return refused(document, { INVALID_AMOUNT: "cost" });
    const [{ lot_id: lotId }] = document.lines;
    const back = { location: place.code, quantity, reason: "Entered by mistake" };
    return {
      ok: true,
      text: `${numberText(quantity)} × ${product.title} made.${await this.#leftOf(product)}`,
      undo: manages ? this.#undo(product, `${API}/inventory/lots/${lotId}/write-off`, back) : null,
    };
  }

  /** A sale: opened, paid and handed over. `paid` is cash, card, other or later; `price` is for one ("": as usual). */
  async sold(asked) {
    const begun = await this.#begin(asked);
    if (!begun.ok) return refused(begun.document, { INVALID_AMOUNT: "price" });
    const { sale } = this.#begun;
    const body = payment(sale, asked.paid);
    const { ok, document } = await this.#completing.send({ method: "POST", path: `${API}/sales/${sale.id}/complete`, body });
    if (!ok) {
      await this.#cancel();
      return refused(document);
    }
    this.#begun = null;
    return this.#told(document, asked);
  }

  /** The act is given up. A sale whose answer was lost is cancelled; where it was done after all, answers as `sold`. */
  async giveUp() {
    const begun = this.#begun;
    if (!begun) return null;
    try {
      if (await this.#cancel()) return null;
    } catch {
      this.#begun = null; // what it holds is free again when its time is over
      return null;
    }
    const sale = await this.#quietly(`/sales/${begun.sale.id}`);
    return sale?.status === "completed" ? this.#told(sale, begun.asked) : null;
  }

  /** The sale of this act, opened once however often it has to be sent. */
  async #begin(asked) {
    const { product, quantity, place, channel, price } = asked;
    const line = { product_id: product.id, quantity, location: place.code };
    if (price) line.unit_price = price;
    const body = { store_id: place.store, source: channel, lines: [line] };
    const same = JSON.stringify([body, asked.paid]);
    if (this.#begun?.same === same) return { ok: true };
    if (this.#begun && !(await this.#cancel())) return { ok: false, document: { detail: "The sale before was done after all. Close this and look at what is left." } };
    const { ok, document } = await this.#opening.send({ method: "POST", path: `${API}/sales`, body });
    if (ok) this.#begun = { same, sale: document, asked };
    return { ok, document };
  }

  /** Cancel the sale that was opened, so that it holds nothing; false where it is completed already. */
  async #cancel() {
    const { sale } = this.#begun;
    const { ok } = await this.#cancelling.send({ method: "POST", path: `${API}/sales/${sale.id}/cancel` });
    this.#begun = null;
    return ok;
  }

  /** What a completed sale is answered with. */
  async #told(sale, { product, quantity, paid }) {
    const lines = sale.lines.map((one) => ({ line_id: one.id, quantity: one.quantity, condition: "good" }));
    const back = { sale_id: sale.id, lines, refund: { method: paid === "later" ? "other" : paid } };
    const money = paid === "later" ? `${sale.total}, to be paid` : sale.total;
    return {
      ok: true,
      text: `${numberText(quantity)} × ${product.title} sold for ${money}.${await this.#leftOf(product)}`,
      undo: this.#undo(product, `${API}/returns`, back),
    };
  }

  /** What was counted on the shelf. */
  async counted({ product, quantity, place }) {
    const body = { location: place.code, lines: [{ product_id: product.id, counted: quantity }] };
    const { ok, document } = await this.#counting.send({ method: "POST", path: `${API}/counts`, body });
    if (!ok) return refused(document);
    const [{ before, counted, difference }] = document.lines;
    const back = { product_id: product.id, location: place.code, quantity: before, expected_quantity: counted, reason: "Count taken back" };
    return {
      ok: true,
      text: `${product.title} counted: ${comparison(difference)}.${await this.#leftOf(product)}`,
      undo: difference ? this.#undo(product, `${API}/store/inventory/set`, back) : null,
    };
  }

  /** What takes an act back: a function that answers { ok, text }. It is sent under one key, however often. */
  #undo(product, path, body) {
    const attempt = new Attempt();
    return async () => {
      const { ok, document } = await attempt.send({ method: "POST", path, body });
      if (!ok) return { ok: false, text: `Not taken back. ${words(document)}` };
      return { ok: true, text: `Taken back. ${product.title}:${await this.#leftOf(product)}` };
    };
  }

  /** A product that is new; { ok, product } or a refusal. */
  async make({ title, sku, price, gtin }) {
    const body = { title, sku, ...(price && { price }), ...(gtin && { gtin }) };
    const { ok, document } = await this.#making.send({ method: "POST", path: `${API}/products`, body });
    if (ok) return { ok: true, product: document };
    const field = { title: "title", sku: "sku", gtin: "gtin", price: "new-price" }[document.field];
    return { ok: false, field: field ?? { ALREADY_EXISTS: "sku", INVALID_AMOUNT: "new-price" }[document.code] ?? "new-all", text: words(document) };
  }
}

/** The body that completes a sale: paid exactly, or to be paid later. */
function payment(sale, paid) {
  const due = paid === "cash" ? sale.cash_owed : sale.owed;
  return paid === "later" || !/[1-9]/.test(due) ? {} : { payments: [{ method: paid, amount: due }] };
}

/** A difference of a count, as the server has it, in words. */
function comparison(difference) {
  if (!difference) return "just as many as we thought";
  return `${numberText(Math.abs(difference))} ${difference < 0 ? "fewer" : "more"} than we thought`;
}

function refused(problem, more = {}) {
  const field = { ...FIELDS, ...more }[problem?.code] ?? fieldOf(problem?.field);
  return { ok: false, field, text: words(problem) };
}

/** The field of ours that the API's field is: `lines.0.lot_code` is the batch. */
function fieldOf(name) {
  const last = String(name ?? "").split(".").pop();
  return { quantity: "quantity", counted: "quantity", lot_code: "lot", unit_cost: "cost", unit_price: "price", expires_at: "expires", location: "place" }[last] ?? "all";
}

/** A refusal in plain words. */
function words(problem) {
  if (problem?.code === "INSUFFICIENT_STOCK" || problem?.code === "INSUFFICIENT_RESERVED") {
    const { available } = problem.lines?.[0] ?? problem;
    if (!available) return "None are left there. If there are some on the shelf, count them first.";
    return `Only ${numberText(available)} are left there. If there are more on the shelf, count them first.`;
  }
  if (problem?.code === "PRICE_MISMATCH" || problem?.code === "PAYMENT_MISMATCH") return `${refusal(problem)} Nothing was sold.`;
  return refusal(problem);
}
