// Getting paid. A part is taken at once, as a payment of the open sale, so the server says what remains; the last one
// completes it. Amounts are compared in whole minor units, and nothing is added up.

import { minorOf } from "./money.js";

export class Payment {
  constructor(till) {
    this.till = till;
  }

  get #state() {
    return this.till.state;
  }

  get #digits() {
    return this.#state.till.minor_digits;
  }

  /** Open the payment of what is in the cart, once all that waits is answered. */
  async open() {
    const cart = this.#state.cart;
    if (!cart?.lines.length || this.#state.payment) return;
    this.till.changed({ payment: { method: "cash", sending: false, problem: "", due: null, priced: !this.#state.exchange.length } });
    await this.#price();
  }

  /** What is due beside what comes back in exchange: the server says it without keeping anything. */
  async #price() {
    const { cart, exchange } = this.#state;
    if (!exchange.length) return;
    const answer = await this.till.returns.dueWith(cart, exchange);
    if (!this.#state.payment) return;
    const due = answer?.ok ? { exact: answer.document.owed, cash: answer.document.cash_owed, back: "" } : null;
    const problem = due ? "" : (answer?.document?.detail ?? "The server cannot be reached: what is due is not known. Esc, then pay again.");
    this.till.changed({ payment: { ...this.#state.payment, due, problem, priced: due !== null } });
  }

  close() {
    if (this.#state.payment?.sending) return false;
    this.till.changed({ payment: null });
    return true;
  }

  method(name) {
    this.till.changed({ payment: { ...this.#state.payment, method: name, problem: "", card: null } });
  }

  /** What is due by a method, as text. */
  dueBy(method) {
    const { cart, payment } = this.#state;
    if (payment?.due) return method === "cash" ? payment.due.cash : payment.due.exact;
    return method === "cash" ? cart.cash_owed : cart.owed;
  }

  /** Take an amount. Answers an error text, or "". */
  take(method, text, code = null) {
    const { payment } = this.#state;
    if (!payment || payment.sending || !payment.priced) return "";
    const amount = minorOf(text, this.#digits);
    const due = minorOf(this.dueBy(method), this.#digits);
    if (amount === 0 && due === 0) {
      this.finish();
      return "";
    }
    if (!amount) return `Give an amount, as ${this.dueBy(method)}.`;
    if (due !== null && amount > due && method !== "cash") return "Only cash can be more than is due.";
    const paid = { method, amount: text.trim().replace(",", "."), ...(code && { code }) };
    if (due !== null && amount < due) {
      if (this.#state.exchange.length) return "With goods in exchange the rest is paid at once.";
      this.#part(paid);
    } else this.#last(paid);
    return "";
  }

  /** Finish what is paid already, or what goods in exchange pay: `refund` says how what is too much goes back. */
  finish(refund = null) {
    if (this.#state.payment && !this.#state.payment.sending) this.#last(null, refund);
  }

  #sending(sending, problem = "") {
    if (this.#state.payment) this.till.changed({ payment: { ...this.#state.payment, sending, problem } });
  }

  #part(paid) {
    this.#sending(true);
    this.till.actions.add({
      name: "pay",
      build: () => (this.#state.cart ? { method: "POST", path: `/sales/${this.#state.cart.id}/payments`, body: paid } : null),
      answered: (answer) => {
        if (answer.ok) this.till.show(answer.document);
        this.#sending(false, answer.ok ? "" : problemOf(answer));
        if (!answer.ok) this.till.cart.onAnswer("refused");
      },
    });
  }

  #last(paid, refund = null) {
    this.#sending(true);
    const exchange = this.#state.exchange;
    const body = {
      payments: paid ? [paid] : [],
      ...(exchange.length && { returns: exchange.map(({ sale_id, lines }) => ({ sale_id, lines })) }),
      ...(refund && { refund: { method: refund } }),
    };
    this.till.actions.add({
      name: "pay",
      build: () => (this.#state.cart ? { method: "POST", path: `/sales/${this.#state.cart.id}/complete`, body } : null),
      answered: (answer) => this.#completed(answer),
    });
  }

  #completed(answer) {
    if (answer.ok) {
      this.till.changed({ cart: null, chosen: null, payment: null, exchange: [], last: null, receipt: { sale: answer.document, copy: false } });
      this.till.cart.onAnswer("done");
      this.till.refreshRecent();
      return;
    }
    this.till.cart.onAnswer("refused");
    const due = answer.document?.due;
    if (answer.document?.field === "refund" && due) {
      this.#sending(false);
      this.till.changed({ payment: { ...this.#state.payment, due: { exact: zero(this.#digits), cash: zero(this.#digits), back: due.replace("-", "") } } });
    } else this.#sending(false, problemOf(answer));
    this.till.later("cart", 0, () => this.till.refreshCart());
  }

  /** What is on a gift card; the payment takes no more than that. */
  async giftCard(code) {
    let answer;
    try {
      answer = await this.till.actions.read(`/gift-cards/${encodeURIComponent(code)}?limit=1`);
    } catch {
      return "The server cannot be reached.";
    }
    if (!answer.ok) return answer.status === 404 ? "No gift card has this code." : (answer.document?.detail ?? "That is no gift card.");
    const card = answer.document;
    if (card.status !== "active") return "This gift card is blocked.";
    if (minorOf(card.balance, this.#digits) === 0) return "Nothing is left on this gift card.";
    const due = minorOf(this.dueBy("gift_card"), this.#digits);
    const amount = minorOf(card.balance, this.#digits) < due ? card.balance : this.dueBy("gift_card");
    this.till.changed({ payment: { ...this.#state.payment, card: { code: card.code, balance: card.balance, amount } } });
    return "";
  }

  /** The receipt of a sale, again: it is marked as a copy. */
  async again(saleId) {
    const sale = await this.till.readQuietly(`/sales/${saleId}`);
    if (sale?.receipt) this.till.changed({ receipt: { sale, copy: true } });
  }

  /** On to the next customer. */
  next() {
    this.till.changed({ receipt: null, aside: null });
  }
}

function problemOf(answer) {
  const problem = answer.document;
  if (!problem) return "";
  const title = problem.lines?.[0]?.title;
  if (problem.code === "INSUFFICIENT_RESERVED") {
    return `A part of the sale waits for stock: ${problem.allocated ?? 0} of ${problem.requested ?? "what was asked for"} are here. Sell what is here, or take a deposit and suspend it.`;
  }
  return title ? `${title}: ${problem.detail}` : problem.detail;
}

function zero(digits) {
  return digits ? `0.${"0".repeat(digits)}` : "0";
}
