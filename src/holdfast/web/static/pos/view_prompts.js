// Small questions: a PIN, a discount, a name, not enough, a gift card's amount, a product to make, the keys.

import { byId, onSubmit, problem } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";
import { TABLE } from "./keys.js";
import { minorOf } from "./money.js";

export class PromptView {
  #till;
  #dialogs;
  #seen = { short: null, gift: null, refused: null, making: null, phase: null };

  constructor({ till, dialogs }) {
    this.#till = till;
    this.#dialogs = dialogs;
    this.#pinPad();
    this.#discountForm();
    this.#customerForm();
    this.#shortForm();
    this.#refusedForm();
    this.#giftForm();
    this.#productForm();
    byId("empty-cart").addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (!act) return;
      dialogs.close("empty-cart");
      if (act === "suspend") till.queue.suspend();
      else till.queue.cancel();
    });
    fillRows(byId("help").querySelector(".key-list"), TABLE.map((row) => ({ key: row.shown ?? row.key, twin: row.twin ? `Alt ${row.twin}` : "", does: row.does })), (row) => row.key);
  }

  show(state) {
    if (state.phase === "locked" && this.#seen.phase !== "locked") this.pin(true);
    if (state.phase !== "locked" && this.#seen.phase === "locked") this.#unlocked();
    this.#seen.phase = state.phase;
    for (const name of ["short", "gift", "refused", "making"]) {
      if (state[name] === this.#seen[name]) continue;
      this.#seen[name] = state[name];
      if (state[name]) this[`_${name}`](state[name]);
    }
  }

  // PIN ---------------------------------------------------------------------------------------------------------------

  /** Whose PIN? When the till is locked the question stays until somebody answers it. */
  pin(locked = false) {
    const dialog = byId("pin");
    if (locked) dialog.dataset.stays = "";
    fill(dialog, { why: locked ? this.#till.state.why || "Nobody is at this till." : "Who takes over? The cart stays." });
    dialog.querySelector(".dialog-close").hidden = locked;
    byId("pin-form").reset();
    this.#dialogs.open("pin", { focus: "input" });
  }

  #unlocked() {
    const dialog = byId("pin");
    delete dialog.dataset.stays;
    dialog.querySelector(".dialog-close").hidden = false;
    this.#dialogs.close("pin");
  }

  #pinPad() {
    const form = byId("pin-form");
    form.addEventListener("click", (event) => {
      const digit = event.target.closest("[data-digit]")?.dataset.digit;
      if (!digit) return;
      const field = form.elements.pin;
      field.value = digit === "back" ? field.value.slice(0, -1) : (field.value + digit).slice(0, 8);
      field.focus();
    });
    onSubmit(form, async (fields) => {
      const pin = fields.pin.value.trim();
      if (!/^\d{4,8}$/.test(pin)) return "A PIN has 4 to 8 digits.";
      const wrong = await this.#till.takeOver(pin);
      fields.pin.value = "";
      if (!wrong) this.#unlocked();
      return wrong;
    });
  }

  // Discount, customer ------------------------------------------------------------------------------------------------

  discount(of) {
    const { cart, chosen } = this.#till.state;
    if (!cart?.lines.length) return;
    const form = byId("discount-form");
    form.reset();
    form.elements.of.value = chosen === null ? "sale" : of;
    const line = this.#till.cart.line();
    fill(byId("discount"), { title: of === "line" && line ? `Discount of ${line.title}` : "Discount of the sale", needsPin: !this.#till.may("prices:discount"), needs: "" });
    this.#dialogs.open("discount", { focus: "[name=value]" });
  }

  #discountForm() {
    const form = byId("discount-form");
    form.addEventListener("click", (event) => {
      const button = event.target.closest("[data-percent]");
      if (!button) return;
      form.elements.value.value = button.dataset.percent ? `${button.dataset.percent}%` : "0";
      form.elements.pin.closest("[hidden]") ? form.requestSubmit() : form.elements.pin.focus();
    });
    form.addEventListener("change", (event) => {
      const line = this.#till.cart.line();
      if (event.target.name === "of") fill(byId("discount").querySelector("h2"), { title: event.target.value === "line" && line ? `Discount of ${line.title}` : "Discount of the sale" });
    });
    onSubmit(form, async (fields) => {
      const given = discountOf(fields.value.value, this.#till.state.till.minor_digits);
      if (given === undefined) return "Give a discount as 10% or 1.50; 0 takes it away.";
      const pin = fields.pin.value.trim() || null;
      if (!this.#till.may("prices:discount") && !pin && given) return "A discount needs the PIN of somebody of the staff.";
      const id = fields.of.value === "line" ? this.#till.state.chosen : null;
      const answer = await this.#till.cart.discount(id, given, pin);
      this.#till.changed({ refused: null });
      if (answer.ok) this.#dialogs.close("discount");
      return answer.ok ? "" : (answer.document?.detail ?? "It was not given.");
    });
  }

  customer() {
    const { cart } = this.#till.state;
    if (cart) this.#askName("Customer", cart.customer, (name) => this.#till.cart.customer(name));
  }

  nameAside() {
    const { aside } = this.#till.state;
    if (aside) this.#askName(`A name or note for ${aside.number}`, "", (name) => this.#till.queue.name(aside.id, name));
  }

  #askName(title, name, act) {
    this.named = act;
    fill(byId("customer"), { title });
    byId("customer-form").elements.name.value = name ?? "";
    this.#dialogs.open("customer", { focus: "input" });
  }

  #customerForm() {
    onSubmit(byId("customer-form"), async (fields) => {
      this.named(fields.name.value.trim());
      this.#dialogs.close("customer");
      return "";
    });
  }

  empty() {
    const { cart } = this.#till.state;
    if (!cart) return;
    fill(byId("empty-cart"), { words: `${cart.number}: ${cart.units} ${cart.units === 1 ? "unit is" : "units are"} held, ${cart.total} in all.`, giveUp: `Give it up: ${cart.units === 1 ? "its unit is" : "its units are"} free again` });
    this.#dialogs.open("empty-cart", { focus: "[data-act=suspend]" });
  }

  help() {
    this.#dialogs.open("help", { focus: "[data-close]" });
  }

  // What the server asks for ------------------------------------------------------------------------------------------

  _short(short) {
    const dialog = byId("short");
    const some = short.available > 0;
    fill(dialog, {
      title: short.title,
      words: some ? `Only ${short.available} left here.` : "None left here.",
      take: some ? `Take ${short.available}` : "",
      promise: Boolean(short.promise),
    });
    fillRows(dialog.querySelector(".elsewhere"), short.elsewhere, (one) => one.location);
    byId("short-form").reset();
    this.#dialogs.open("short", { focus: some ? "[data-act=take]" : "[data-act=leave]", onClose: () => this.#till.changed({ short: null }) });
  }

  #shortForm() {
    const form = byId("short-form");
    form.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      const { short } = this.#till.state;
      if (!act || !short) return;
      this.#dialogs.close("short");
      if (act === "take") short.take(short.available);
    });
    onSubmit(form, async (fields) => {
      const { short } = this.#till.state;
      const pin = fields.pin.value.trim();
      if (!/^\d{4,8}$/.test(pin)) return "A PIN has 4 to 8 digits.";
      const answer = await short.promise(pin);
      if (answer.ok) this.#dialogs.close("short");
      return answer.ok ? "" : (answer.document?.detail ?? "It was not promised.");
    });
  }

  _refused(refused) {
    if (byId("discount").open) return; // it says so itself
    fill(byId("refused"), { text: refused.text });
    byId("refused-form").reset();
    this.#dialogs.open("refused", { focus: "input", onClose: () => this.#till.changed({ refused: null }) });
  }

  #refusedForm() {
    onSubmit(byId("refused-form"), async (fields) => {
      const pin = fields.pin.value.trim();
      if (!/^\d{4,8}$/.test(pin)) return "A PIN has 4 to 8 digits.";
      const { refused } = this.#till.state;
      const answer = await refused.again(pin);
      if (!answer.ok) return answer.document?.detail ?? "It was not done.";
      this.#dialogs.close("refused");
      return "";
    });
  }

  _gift(gift) {
    fill(byId("gift"), { title: gift.title });
    byId("gift-form").reset();
    this.#dialogs.open("gift", { focus: "input", onClose: () => this.#till.changed({ gift: null }) });
  }

  #giftForm() {
    onSubmit(byId("gift-form"), async (fields) => {
      const amount = fields.amount.value.trim().replace(",", ".");
      if (!minorOf(amount, this.#till.state.till.minor_digits)) return "Give the amount that shall be on the card.";
      const { gift } = this.#till.state;
      this.#dialogs.close("gift");
      await this.#till.cart.addGiftCard(gift.product_id, amount, fields.code.value.trim());
      return "";
    });
  }

  _making(code) {
    fill(byId("product"), { code, needsPin: !this.#till.may("inventory:manage") });
    byId("product-form").reset();
    this.#dialogs.open("product", { focus: "input", onClose: () => this.#till.changed({ making: null }) });
  }

  #productForm() {
    onSubmit(byId("product-form"), async (fields) => {
      const code = this.#till.state.making;
      const title = fields.title.value.trim();
      if (!title) return "Give it a title.";
      const price = fields.price.value.trim().replace(",", ".");
      const gtin = /^\d{8,14}$/.test(code);
      const body = { sku: code, title, ...(price && { price }), ...(gtin && { gtin: code }) };
      const answer = await this.#till.actions.add({ name: "product", pin: fields.pin.value.trim() || null, build: () => ({ method: "POST", path: "/products", body }) });
      if (!answer.ok) return answer.document?.detail ?? "It was not made.";
      this.#dialogs.close("product");
      this.#till.cart.forget(code);
      this.#till.say(`${title} is made. It has no stock yet: receive or count it.`, "done");
      return "";
    });
  }
}

/** "10%" or "1.50" as the API takes it; null takes a discount away, undefined is none. */
export function discountOf(text, digits) {
  const given = text.trim().replace(",", ".");
  if (/^0*(\.0*)?%?$/.test(given) && given) return null;
  const percent = /^(\d{1,3}(\.\d{1,4})?)\s*%$/.exec(given);
  if (percent) return { percent: Number(percent[1]) };
  return minorOf(given, digits) ? { amount: given } : undefined;
}

export { problem };
