// Goods that come back: for money, or for others (exchange). What is given back is computed by the server.

export class Returns {
  constructor(till) {
    this.till = till;
  }

  get #state() {
    return this.till.state;
  }

  open() {
    this.till.changed({ returning: { sale: null, problem: "", done: null, blind: false } });
  }

  close() {
    this.till.changed({ returning: null });
  }

  #put(part) {
    if (this.#state.returning) this.till.changed({ returning: { ...this.#state.returning, ...part } });
  }

  /** Find a sale by the number on its receipt. */
  async find(number) {
    let answer;
    try {
      answer = await this.till.actions.read(`/sales?order_number=${encodeURIComponent(number.trim())}&limit=5`);
    } catch {
      this.#put({ problem: "The server cannot be reached. Try again." });
      return;
    }
    const found = (answer.document?.items ?? answer.document ?? []).find?.((sale) => sale.lines.some((line) => line.fulfilled > 0));
    if (!answer.ok || !found) {
      this.#put({ sale: null, problem: answer.ok ? `No sale has the number ${number.trim()} here.` : answer.document.detail });
      return;
    }
    this.#put({ sale: found, problem: "", done: null });
  }

  /** Take back: `lines` are { line_id, quantity, condition }. */
  async giveBack(lines, method, { code = "", pin = null } = {}) {
    const body = { sale_id: this.#state.returning.sale.id, lines, refund: refundOf(method, code) };
    await this.#send(body, pin);
  }

  /** Take back without a receipt: `lines` are { product_id, quantity, unit_price, condition }. */
  async giveBackBlind(lines, method, pin) {
    await this.#send({ store_id: this.#state.till.store.id, lines, refund: refundOf(method, "") }, pin);
  }

  async #send(body, pin) {
    if (this.#state.returning.sending) return;
    this.#put({ sending: true, problem: "" });
    const answer = await this.till.actions.add({ name: "return", pin, build: () => ({ method: "POST", path: "/returns", body }) });
    if (answer.ok) {
      this.till.cart.onAnswer("done");
      this.#put({ sending: false, done: answer.document });
    } else {
      this.till.cart.onAnswer("refused");
      this.#put({ sending: false, problem: answer.document?.detail ?? "It was not taken back." });
    }
  }

  /** Set goods against those of the cart: one receipt, one tender of the difference. */
  exchange(lines) {
    const { sale } = this.#state.returning;
    const others = this.#state.exchange.filter((one) => one.sale_id !== sale.id);
    const shown = lines.map((line) => ({ ...line, title: sale.lines.find((one) => one.id === line.line_id).title }));
    this.till.changed({ returning: null, exchange: [...others, { sale_id: sale.id, number: sale.number, lines, shown }] });
  }

  dropExchange() {
    this.till.changed({ exchange: [] });
  }

  /** What a cart comes to with goods in exchange: { ok, document }, a sale that is not kept; null without an answer. */
  async dueWith(cart, exchange) {
    const body = {
      store_id: this.#state.till.store.id,
      lines: cart.lines.map((line) => ({
        product_id: line.product_id,
        quantity: line.quantity,
        unit_price: line.unit_price,
        ...(line.own_discount && { discount: line.own_discount }),
        ...(line.lot_id && { lot_id: line.lot_id }),
      })),
      fees: cart.fees.map(({ name, amount, tax_class, tip }) => ({ name, amount, tax_class, tip })),
      ...(cart.discount && { discount: cart.discount }),
      returns: exchange.map(({ sale_id, lines }) => ({ sale_id, lines })),
    };
    try {
      return await this.till.actions.once({ method: "POST", path: "/pos/quote", body });
    } catch {
      return null;
    }
  }
}

function refundOf(method, code) {
  return { method, ...(code && { code }) };
}
