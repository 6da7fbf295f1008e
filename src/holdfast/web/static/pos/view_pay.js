// The payment. What is due comes from the server; the only thing computed here is the change of what is being typed.

import { byId } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";
import { amountText, changeText, minorOf, notesAbove } from "./money.js";
import { METHODS } from "./view_cart.js";

export class PayView {
  #till;
  #dialogs;
  #form = byId("pay-form");
  #dialog = byId("pay");
  #was = "";

  constructor({ till, dialogs }) {
    this.#till = till;
    this.#dialogs = dialogs;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#take();
    });
    this.#form.addEventListener("input", () => this.show(till.state));
    this.#form.addEventListener("change", (event) => {
      if (event.target.name === "method") this.#method(event.target.value);
    });
    this.#form.addEventListener("click", (event) => this.#clicked(event));
    this.#form.elements.code.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      this.#card();
    });
  }

  async open() {
    if (this.#till.state.payment) return;
    await this.#till.payment.open();
  }

  /** Pay exactly what is due, in cash. */
  exactCash() {
    const { payment } = this.#till.state;
    if (!payment || payment.sending) return;
    this.#form.elements.method.value = "cash";
    this.#till.payment.method("cash");
    this.#send(this.#till.payment.dueBy("cash"));
  }

  show(state) {
    const { payment, cart } = state;
    if (!payment || !cart || !state.till) {
      this.#dialogs.close("pay");
      this.#was = "";
      return;
    }
    if (!this.#dialog.open) this.#begin();
    this.#dialog.toggleAttribute("data-stays", payment.sending); // what is sent is not left
    const digits = state.till.minor_digits;
    const due = this.#till.payment.dueBy(payment.method);
    const back = this.#backWords(payment);
    const typed = this.#form.elements.amount.value;
    const change = payment.method === "cash" && minorOf(due, digits) !== null ? changeOf(typed, due, digits) : "";
    fill(this.#dialog, {
      dueName: cart.payments.length ? "Still to pay" : "To pay",
      due,
      currency: state.till.currency,
      giftCode: payment.method === "gift_card",
      card: payment.card ? `${payment.card.balance} is on the card. ${payment.card.amount} is taken off it.` : "",
      wantsAmount: !back && (payment.method !== "gift_card" || Boolean(payment.card)),
      amountName: payment.method === "cash" ? "Cash handed over" : "Amount",
      changeText: change,
      unknown: payment.sending && this.#till.actions.unanswered,
      problem: payment.problem,
      partly: cart.lines.some((line) => line.backordered > 0),
      sending: payment.sending,
      submitText: this.#submitText(payment, typed, due),
      backWords: back,
    });
    const paid = cart.payments.map((one, index) => ({ index, method: METHODS[one.method] ?? one.method, amount: one.amount }));
    fillRows(this.#dialog.querySelector(".paid"), paid, (one) => one.index);
    fillRows(byId("notes"), this.#notes(payment, due, digits), (note) => note.label);
    // A new remainder begins with an empty field: what was typed has been taken.
    const mark = `${cart.id} ${cart.paid} ${payment.method}`;
    if (this.#was && this.#was !== mark) {
      this.#form.elements.amount.value = "";
      this.#form.elements.code.value = "";
      this.#focus();
    }
    this.#was = mark;
  }

  #begin() {
    this.#form.reset();
    this.#dialogs.open("pay", { onClose: () => this.#till.payment.close() });
    this.#focus();
  }

  #focus() {
    const method = this.#till.state.payment?.method;
    const field = method === "gift_card" && !this.#till.state.payment.card ? this.#form.elements.code : this.#form.elements.amount;
    field.focus();
  }

  #backWords({ due }) {
    return due?.back ? `${due.back} goes back to the customer` : "";
  }

  #submitText(payment, typed, due) {
    if (payment.sending) return "Sending ...";
    if (payment.method === "gift_card" && !payment.card) return "Look at the card";
    return `Take ${typed.trim() || payment.card?.amount || due}`;
  }

  #notes(payment, due, digits) {
    const exact = { amount: due, label: `Exact ${due}`, key: payment.method === "cash" ? "F9" : "", sending: payment.sending };
    if (payment.method !== "cash") return payment.method === "gift_card" ? [] : [{ ...exact }];
    const minor = minorOf(due, digits);
    const notes = minor === null ? [] : notesAbove(minor, digits);
    return [exact, ...notes.map((note) => ({ amount: amountText(note, digits), label: amountText(note, digits), key: "", sending: payment.sending }))];
  }

  #method(name) {
    this.#till.payment.method(name);
    setTimeout(() => this.#focus());
  }

  #clicked(event) {
    const note = event.target.closest("[data-act=note]");
    if (note) this.#send(note.value);
    const back = event.target.closest("[data-refund]");
    if (back) this.#till.payment.finish(back.dataset.refund);
    if (event.target.closest("[data-act=only-here]")) this.#onlyHere();
  }

  /** Make the lines as small as what is here, so that they can be sold now. */
  #onlyHere() {
    const { cart } = this.#till.state;
    for (const line of cart.lines.filter((one) => one.backordered > 0)) this.#till.cart.setQuantity(line.id, String(Math.max(0, Math.round((line.held - line.backordered) * 10_000) / 10_000)));
    this.#till.payment.close();
  }

  #take() {
    const { payment } = this.#till.state;
    if (!payment || payment.sending) return;
    if (payment.method === "gift_card" && !payment.card) this.#card();
    else this.#send(this.#form.elements.amount.value.trim() || payment.card?.amount || this.#till.payment.dueBy(payment.method));
  }

  async #card() {
    const code = this.#form.elements.code.value.trim();
    this.#form.elements.code.select();
    if (!code) return;
    const wrong = await this.#till.payment.giftCard(code);
    if (this.#till.state.payment) this.#till.changed({ payment: { ...this.#till.state.payment, problem: wrong } });
    setTimeout(() => this.#focus());
  }

  #send(text) {
    const { payment } = this.#till.state;
    const wrong = this.#till.payment.take(payment.method, text, payment.card?.code ?? null);
    if (wrong) this.#till.changed({ payment: { ...payment, problem: wrong } });
  }
}

function changeOf(typed, due, digits) {
  const tender = minorOf(typed, digits);
  return tender === null ? "" : (changeText(tender, minorOf(due, digits), digits) ?? "");
}
