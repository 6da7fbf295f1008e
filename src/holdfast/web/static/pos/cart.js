// What is done to the cart: scan, change, remove. Every act is one action of the queue.

const UNKNOWN = new Set(["PRODUCT_NOT_FOUND", "INVALID_REQUEST"]);
const UNKNOWN_MAX = 20;
const SHORT = new Set(["INSUFFICIENT_STOCK", "INSUFFICIENT_RESERVED"]);

/** `3*4006381333931` is three of it, `=...` asks for its price, `3*` and `=` alone are for the next scan. */
export function meantBy(text) {
  const asked = { code: text.trim(), quantity: null, check: false };
  if (asked.code.startsWith("=")) {
    asked.check = true;
    asked.code = asked.code.slice(1).trim();
  }
  const times = /^(\d{1,5})\s*[*×]\s*(.*)$/.exec(asked.code);
  if (times && Number(times[1]) > 0) {
    asked.quantity = Number(times[1]);
    asked.code = times[2];
  }
  return asked;
}

/** A quantity as it was typed; null when it is none. Up to four places, as products have. */
export function quantityOf(text) {
  const match = /^\d{1,9}([.,]\d{1,4})?$/.exec(text.trim());
  return match ? Number(text.trim().replace(",", ".")) : null;
}

export class Cart {
  /** `onAnswer("done" | "refused")` for each scan: the sounds. */
  onAnswer = () => {};

  constructor(till) {
    this.till = till;
  }

  get #state() {
    return this.till.state;
  }

  line(id = this.#state.chosen) {
    return this.#state.cart?.lines.find((line) => line.id === id) ?? null;
  }

  /** What the scanner read, or somebody typed. */
  scan(text) {
    const asked = meantBy(text);
    const quantity = asked.quantity ?? this.#state.times;
    const check = asked.check || this.#state.checking;
    if (!asked.code) {
      this.till.changed({ times: asked.quantity, checking: asked.check });
      return null;
    }
    this.till.changed({ times: null, checking: false, receipt: null });
    if (check) return this.check(asked.code);
    return this.#add({ code: asked.code, ...(quantity && { quantity }) }, asked.code);
  }

  /** A product from a button or from what was found. */
  addProduct(productId, label, more = {}) {
    const quantity = this.#state.times ?? 1;
    this.till.changed({ times: null, receipt: null });
    return this.#add({ product_id: productId, quantity, ...more }, label);
  }

  /** The price of what is scanned, and what there is of it; nothing is added. */
  async check(code) {
    let answer;
    try {
      answer = await this.till.actions.read(`/scan?code=${encodeURIComponent(code)}`);
    } catch {
      this.till.say("The server cannot be reached: prices are not known now.", "bad");
      return;
    }
    if (!answer.ok) {
      this.keep(code, "Not known");
      return;
    }
    this.onAnswer("done");
    this.till.changed({ last: { ...answer.document, checked: true } });
  }

  /** `override` with a manager's `pin`: what is not here is promised all the same, and waits for stock. */
  #add(line, label, { pin = null, merge = true, override = false } = {}) {
    const build = () => {
      const cart = this.#state.cart;
      const more = override ? { override } : {};
      if (cart) return { method: "POST", path: `/sales/${cart.id}/lines`, body: { ...line, ...(merge && { merge }), ...more } };
      return { method: "POST", path: "/sales", body: { store_id: this.#state.till.store.id, lines: [line], ...more } };
    };
    const answered = (answer) => {
      if (answer.ok) this.#added(answer.document);
      else this.#notAdded(answer, line, label);
    };
    return this.till.actions.add({ name: "scan", build, answered, pin });
  }

  #added(sale) {
    const line = this.till.show(sale);
    this.onAnswer("done");
    if (line) this.till.look(line.sku);
  }

  #notAdded(answer, line, label) {
    const problem = answer.document;
    if (!problem) return;
    this.onAnswer("refused");
    if (line.code && (answer.status === 404 || answer.status === 400) && UNKNOWN.has(problem.code)) {
      this.keep(line.code, "Not known");
    } else if (SHORT.has(problem.code)) {
      this.#notEnough(problem, label, {
        take: (quantity) => this.#add({ ...line, quantity }, label),
        promise: (pin) => this.#add(line, label, { pin, override: true }),
      });
    } else if (problem.code === "PRICE_MISMATCH") {
      this.#priceless(problem, line, label);
    } else {
      this.till.say(`${label} was not added: ${problem.detail}`, "bad");
      if (answer.status === 404 || problem.code === "INVALID_STATE") this.till.refreshCart();
    }
  }

  /** A price that this cashier may not set, or a gift card that needs an amount. */
  async #priceless(problem, line, label) {
    const found = line.product_id ? { product_id: line.product_id } : await this.till.readQuietly(`/scan?code=${encodeURIComponent(line.code)}`);
    const product = found && (await this.till.readQuietly(`/products/${found.product_id}`));
    if (product?.kind === "gift_card") {
      this.till.changed({ gift: { product_id: product.id, title: product.title } });
    } else {
      this.till.changed({ refused: { text: `${label}: ${problem.detail}`, again: (pin) => this.#add(line, label, { pin }) } });
    }
  }

  /** A gift card over an amount; `code` is that of a printed one. */
  addGiftCard(productId, amount, code) {
    this.till.changed({ gift: null });
    return this.#add({ product_id: productId, quantity: 1, unit_price: amount, ...(code && { code }) }, "The gift card", { merge: false });
  }

  /** Keep a code that cannot be added, and go on. */
  keep(code, why) {
    this.onAnswer("refused");
    const others = this.#state.unknown.filter((one) => one.code !== code);
    this.till.changed({ unknown: [{ code, why }, ...others].slice(0, UNKNOWN_MAX) });
  }

  /** Forget a code that was kept. */
  forget(code) {
    this.till.changed({ unknown: this.#state.unknown.filter((one) => one.code !== code) });
  }

  /** Say how much there is. `take` takes a quantity, `promise` a manager's PIN. */
  #notEnough(problem, label, { take, promise }) {
    const [first] = problem.lines ?? [];
    const facts = { ...problem, ...first };
    this.till.changed({
      short: {
        title: facts.title ?? label,
        available: facts.available ?? 0,
        requested: facts.requested ?? null,
        elsewhere: facts.available_elsewhere ?? [],
        detail: problem.detail,
        take,
        promise: facts.override_required ? promise : null,
      },
    });
  }

  choose(id) {
    this.till.changed({ chosen: id });
  }

  /** The line above (-1) or below (1) the chosen one. */
  move(step) {
    const lines = this.#state.cart?.lines ?? [];
    if (!lines.length) return;
    const at = lines.findIndex((line) => line.id === this.#state.chosen);
    this.choose(lines[Math.max(0, Math.min(lines.length - 1, at + step))].id);
  }

  /** A quantity as it was typed. Answers an error text, or "". */
  setQuantity(id, text) {
    const quantity = quantityOf(text);
    if (quantity === null) return "A quantity is a number, as 2 or 0.5.";
    const line = this.line(id);
    if (!line || line.quantity === quantity) return "";
    if (quantity === 0) this.remove(id);
    else this.#edit(id, () => ({ quantity }), line.title);
    return "";
  }

  /** One more, or one less; the last one is removed. */
  step(id, by) {
    const line = this.line(id);
    if (!line) return;
    if (line.quantity + by <= 0 && !this.till.actions.waiting) {
      this.remove(id);
      return;
    }
    this.#edit(id, (present) => ({ quantity: Math.round((present.quantity + by) * 10_000) / 10_000 }), line.title);
  }

  /** A discount, { percent } or { amount }, of a line or (null) of the sale; null takes it away. */
  discount(id, discount, pin = null) {
    const title = id === null ? "The sale" : this.line(id)?.title;
    return this.#edit(id, () => ({ discount }), title, pin);
  }

  /** Whom the sale is for. */
  customer(name) {
    return this.#edit(null, () => ({ customer: name || null }), "The sale");
  }

  #edit(id, change, label, pin = null) {
    const build = () => {
      const cart = this.#state.cart;
      const line = id === null ? null : this.line(id);
      if (!cart || (id !== null && !line)) return null;
      const body = change(line);
      if (body.quantity !== undefined && body.quantity <= 0) return { method: "DELETE", path: `/sales/${cart.id}/lines/${id}` };
      return { method: "PATCH", path: id === null ? `/sales/${cart.id}` : `/sales/${cart.id}/lines/${id}`, body };
    };
    const answered = (answer) => {
      if (answer.ok) {
        this.till.show(answer.document);
        return;
      }
      const problem = answer.document;
      if (!problem) return;
      this.onAnswer("refused");
      if (SHORT.has(problem.code)) {
        this.#notEnough(problem, label, {
          take: (quantity) => this.#edit(id, (present) => ({ quantity: present.quantity + quantity }), label),
          promise: (own) => this.#edit(id, (present) => ({ ...change(present), override: true }), label, own),
        });
      } else if (problem.code === "PRICE_MISMATCH") {
        this.till.changed({ refused: { text: problem.detail, again: (own) => this.#edit(id, change, label, own) } });
      } else {
        this.till.say(`${label} was not changed: ${problem.detail}`, "bad");
      }
      this.till.changed();
    };
    return this.till.actions.add({ name: "edit", build, answered, pin });
  }

  /** Take a line out, at once; it can be taken back. */
  remove(id) {
    const line = this.line(id);
    if (!line) return;
    const lines = this.#state.cart.lines;
    const at = lines.indexOf(line);
    const next = lines[at + 1] ?? lines[at - 1] ?? null;
    const build = () => (this.#state.cart && this.line(id) ? { method: "DELETE", path: `/sales/${this.#state.cart.id}/lines/${id}` } : null);
    this.till.actions.add({
      name: "remove",
      build,
      answered: (answer) => {
        if (answer.ok) {
          this.till.show(answer.document);
          this.choose(next?.id ?? null);
          this.till.say(`${line.title} is removed.`, "note", () => this.#putBack(line));
        } else if (answer.document) this.till.say(`${line.title} was not removed: ${answer.document.detail}`, "bad");
      },
    });
  }

  #putBack(line) {
    const asked = {
      product_id: line.product_id,
      quantity: line.quantity,
      unit_price: line.unit_price,
      ...(line.lot_id && { lot_id: line.lot_id }),
      ...(line.own_discount && { discount: line.own_discount }),
    };
    this.till.changed({ said: null });
    this.#add(asked, line.title, { merge: false });
  }
}
