// Goods come back: find the sale, say how much and in which condition, and how the money goes back.

import { byId, onSubmit } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";
import { METHODS } from "./view_cart.js";

export class ReturnView {
  #till;
  #dialogs;
  #sale = null;

  constructor({ till, dialogs }) {
    this.#till = till;
    this.#dialogs = dialogs;
    const dialog = byId("return");
    onSubmit(byId("return-find"), async (fields) => {
      fields.number.select();
      await till.returns.find(fields.number.value);
      return "";
    });
    onSubmit(byId("return-form"), async (fields) => {
      const lines = this.#lines();
      if (!lines.length) return this.#wrong("Say how much comes back.");
      await till.returns.giveBack(lines, fields.method.value, { pin: fields.pin.value.trim() || null });
      return "";
    });
    onSubmit(byId("blind-form"), (fields) => this.#blind(fields));
    dialog.addEventListener("click", (event) => this.#clicked(event));
  }

  async open() {
    this.#till.returns.open();
    await null; // what was done last is hidden by then, and the first field can have the focus
    byId("return-find").reset();
    byId("return-form").reset();
    byId("blind-form").reset();
    this.#sale = null;
    this.#dialogs.open("return", { focus: "[name=number]", onClose: () => this.#till.returns.close() });
  }

  show(state) {
    const { returning } = state;
    const dialog = byId("return");
    if (!returning) {
      this.#dialogs.close("return");
      return;
    }
    const { sale, done, blind } = returning;
    fill(dialog, {
      problem: returning.problem,
      sale: sale && !done,
      blind: blind && !done,
      start: !sale && !blind && !done,
      done,
      saleWords: sale ? `${sale.number}${sale.customer ? `, ${sale.customer}` : ""}: ${sale.total} paid by ${[...new Set(sale.payments.map((one) => METHODS[one.method]))].join(" and ")}.` : "",
      needsPin: Boolean(returning.problem) && /returns:override|prices:/.test(returning.problem) || (blind && !this.#till.may("prices:discount")),
      sending: returning.sending,
      submitText: returning.sending ? "Sending ..." : "Give the money back",
      canExchange: Boolean(state.cart?.lines.length),
      giveWords: done ? giveWords(done) : "",
      giveAmount: done?.refund_total ?? "",
      giveMore: done ? giveMore(done) : "",
    });
    const rows = (sale && !done ? sale.lines : []).filter((line) => line.fulfilled > line.returned).map(shownLine);
    fillRows(dialog.querySelector(".return-lines"), rows, (row) => row.id);
    if (sale && this.#sale !== sale.id) {
      this.#sale = sale.id;
      dialog.querySelector(".return-lines input")?.select();
      dialog.querySelector(".return-lines input")?.focus();
    }
  }

  #lines() {
    return [...byId("return").querySelectorAll(".return-lines > li")]
      .map((row) => ({
        line_id: row.dataset.key,
        quantity: Number(row.querySelector("[data-act=quantity]").value.replace(",", ".")),
        condition: row.querySelector("[data-act=condition]").value,
      }))
      .filter((line) => line.quantity > 0);
  }

  #wrong(text) {
    this.#till.changed({ returning: { ...this.#till.state.returning, problem: text } });
    return "";
  }

  async #blind(fields) {
    const found = await this.#till.readQuietly(`/scan?code=${encodeURIComponent(fields.product.value.trim())}`);
    if (!found) return this.#wrong("No product has this code.");
    const line = {
      product_id: found.product_id,
      quantity: Number(fields.quantity.value.replace(",", ".")),
      unit_price: fields.price.value.trim().replace(",", "."),
      condition: fields.condition.value,
    };
    await this.#till.returns.giveBackBlind([line], fields.method.value, fields.pin.value.trim() || null);
    return "";
  }

  #clicked(event) {
    const act = event.target.closest("[data-act]")?.dataset.act;
    const row = event.target.closest(".return-lines > li");
    if (row && (act === "more" || act === "less")) {
      const field = row.querySelector("[data-act=quantity]");
      const next = Number(field.value || 0) + (act === "more" ? 1 : -1);
      field.value = String(Math.max(0, Math.min(Number(field.dataset.most), next)));
    } else if (act === "exchange") {
      const lines = this.#lines();
      if (lines.length) this.#till.returns.exchange(lines);
      else this.#wrong("Say how much comes back.");
    } else if (act === "blind") {
      this.#till.changed({ returning: { ...this.#till.state.returning, blind: true, problem: "" } });
      setTimeout(() => byId("blind-form").elements.product.focus());
    } else if (act === "close") {
      this.#dialogs.close("return");
    }
  }
}

function shownLine(line) {
  const returned = line.returned ? `, ${line.returned} came back already` : "";
  return {
    id: line.id,
    title: line.title,
    about: `${line.fulfilled} bought${returned}; ${line.line_total} in all`,
    most: line.fulfilled,
    lessName: `One less ${line.title}`,
    moreName: `One more ${line.title}`,
    quantityName: `How many of ${line.title} come back`,
    conditionName: `Condition of ${line.title}`,
  };
}

function giveWords(done) {
  const methods = done.refunds.map((one) => METHODS[one.method] ?? one.method);
  return methods.length ? `Give back (${[...new Set(methods)].join(", ")})` : "Nothing to give back";
}

function giveMore(done) {
  const cards = done.refunds.filter((one) => one.code).map((one) => `Gift card ${one.code}: ${one.amount}.`);
  const rounding = /[1-9]/.test(done.rounding ?? "") ? [`Rounded by ${done.rounding}.`] : [];
  return [...cards, ...rounding].join(" ");
}
