// Goods that come, for a product that need not be in the list yet: by SKU or barcode; one that is not known is made.

import { Attempt, NOT_KNOWN, read, refusal, typedNumber } from "./api.js";

export class Goods {
  #dialog = document.getElementById("goods");
  #form = document.querySelector("#goods form");
  #new = document.querySelector("#goods [data-new-product]");
  #making = new Attempt();
  #receiving = new Attempt();
  #onDone;

  /** `onDone({ text })` after the server took them. */
  constructor(onDone) {
    this.#onDone = onDone;
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog || event.target.closest("[data-close]")) this.#dialog.close();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#form.elements.code.addEventListener("input", () => (this.#new.hidden = true));
  }

  open() {
    this.#form.reset();
    this.#new.hidden = true;
    this.#problem("");
    this.#dialog.showModal();
    this.#form.elements.code.focus();
  }

  #problem(text, field = null) {
    const place = this.#form.querySelector("[data-problem]");
    place.textContent = text;
    place.hidden = !text;
    for (const one of this.#form.elements) one.removeAttribute("aria-invalid");
    field?.setAttribute("aria-invalid", "true");
    field?.focus();
  }

  async #send() {
    if (this.#form.getAttribute("aria-busy") === "true") return;
    const { code, quantity } = this.#form.elements;
    this.#problem("");
    if (!code.value.trim()) return this.#problem("Scan or type what came.", code);
    if (!typedNumber(quantity)) return this.#problem("Give a number above 0.", quantity);
    this.#form.setAttribute("aria-busy", "true");
    try {
      await this.#receive(typedNumber(quantity));
    } catch {
      this.#problem(NOT_KNOWN);
    } finally {
      this.#form.removeAttribute("aria-busy");
    }
  }

  async #receive(quantity) {
    const { code, location, unit_cost, title } = this.#form.elements;
    const product = await this.#product(code, title);
    if (!product) return;
    const line = { product_id: product.id, quantity };
    if (unit_cost.value.trim()) line.unit_cost = unit_cost.value.trim();
    const request = { method: "POST", path: "/api/v1/receipts", body: { location: location.value, lines: [line] } };
    const { ok, document: answer } = await this.#receiving.send(request);
    if (!ok) return this.#problem(refusal(answer));
    this.#dialog.close();
    this.#onDone({ text: `${product.title} is received at ${location.value}.` });
  }

  /** The product of the code, or the one that is made of code and title; null where that was refused. */
  async #product(code, title) {
    const text = code.value.trim();
    const scanned = await read(`/api/v1/scan?code=${encodeURIComponent(text)}`);
    if (scanned.ok) return { id: scanned.document.product_id, title: scanned.document.title };
    if (scanned.status !== 404) return this.#problem(refusal(scanned.document), code) ?? null;
    if (this.#new.hidden || !title.value.trim()) {
      this.#new.hidden = false;
      title.focus();
      return null;
    }
    const body = { sku: text, title: title.value.trim() };
    const { ok, document: answer } = await this.#making.send({ method: "POST", path: "/api/v1/products", body });
    if (!ok) return this.#problem(refusal(answer), title) ?? null;
    return { id: answer.id, title: answer.title };
  }
}
