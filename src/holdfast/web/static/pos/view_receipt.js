// The receipt: on the screen with the change in large type, and on paper of 80 or 58 mm. A scan begins the next sale.

import { byId, focusScan } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";
import { taxName } from "./money.js";
import { personOf } from "./words.js";
import { METHODS } from "./view_cart.js";

const PAPER = "holdfast-till-paper";

export class ReceiptView {
  #till;
  #shown = null;
  #gift = false;
  #qr = false;

  constructor({ till }) {
    this.#till = till;
    const paper = byId("paper");
    paper.value = localStorage.getItem(PAPER) ?? "80";
    paper.addEventListener("change", () => {
      localStorage.setItem(PAPER, paper.value);
      till.changed();
    });
    window.addEventListener("afterprint", () => {
      this.#gift = false;
      till.changed();
    });
  }

  show(state) {
    const place = byId("receipt");
    const { receipt } = state;
    place.hidden = !receipt || !state.till;
    if (place.hidden) {
      this.#shown = null;
      this.#qr = false;
      return;
    }
    if (this.#shown !== receipt.sale.id) {
      this.#shown = receipt.sale.id;
      this.#gift = false;
      focusScan();
    }
    const { sale } = receipt;
    const change = /[1-9]/.test(sale.change) && !receipt.copy ? sale.change : "";
    const owed = /[1-9]/.test(sale.owed) ? sale.owed : "";
    const back = receipt.copy ? [] : moneyBack(sale);
    fill(place, {
      change,
      doneName: receipt.copy ? "Copy of" : back.length ? "Give back" : owed ? "Still owed" : "Paid",
      doneAmount: receipt.copy ? sale.number : back.length ? back.map((one) => one.amount).join(" + ") : owed || sale.total,
      qr: String(this.#qr),
      paper: byId("paper").value,
      gift: this.#gift ? "yes" : null,
    });
    this.#sheet(sale, receipt.copy, state.till);
  }

  #sheet(sale, copy, till) {
    const place = byId("sheet");
    if (!place.firstElementChild) place.append(byId("receipt-sheet").content.cloneNode(true));
    const sheet = place.firstElementChild;
    const at = sale.receipt.completed_at ?? sale.updated_at;
    fill(sheet, {
      organisation: till.organisation,
      store: till.store.name === till.organisation ? "" : (till.store.name ?? till.store.code),
      copy,
      gift: this.#gift,
      number: sale.receipt.number,
      when: new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "short" }),
      till: till.register.name ?? till.register.code,
      cashier: personOf(sale.cashier),
      code: `/pos/code.svg?kind=bars&text=${encodeURIComponent(sale.receipt.number)}`,
      qr: this.#qr ? `/pos/code.svg?kind=qr&text=${encodeURIComponent(receiptText(sale, till))}` : null,
    });
    fillRows(sheet.querySelector(".sheet-lines"), sale.lines.map((line) => sheetLine(line, this.#gift)), (line) => line.id);
    fillRows(sheet.querySelector(".sheet-sums"), sheetSums(sale, till.currency), (sum) => sum.key);
  }

  printGift() {
    this.#gift = true;
    this.#till.changed();
    setTimeout(() => window.print(), 50);
  }

  showQr() {
    this.#qr = !this.#qr;
    this.#till.changed();
    if (this.#qr) requestAnimationFrame(() => byId("sheet").querySelector(".sheet-qr").scrollIntoView({ block: "nearest" }));
  }
}

function sheetLine(line, gift) {
  const keys = (line.delivery?.license_keys ?? []).map((one) => one.key).join(", ");
  return { id: line.id, title: keys ? `${line.title}: ${keys}` : line.title, amount: `${line.quantity} ×`, total: gift ? "" : line.line_total };
}

function sheetSums(sale, currency) {
  const some = (amount) => /[1-9]/.test(amount);
  const rows = [];
  const add = (name, amount, kind = "") => rows.push({ key: `${rows.length}`, name, amount, kind });
  if (some(sale.discount_total)) add("Discount", `−${sale.discount_total}`);
  for (const fee of sale.fees) add(fee.name, fee.amount);
  add(`Total ${currency}`, sale.total, "sheet-total-row");
  if (some(sale.rounding)) add("Rounding", sale.rounding);
  for (const one of sale.payments) add(METHODS[one.method] ?? one.method, one.amount);
  if (some(sale.change)) add("Change", sale.change);
  if (some(sale.owed)) add("Still owed", sale.owed);
  for (const one of moneyBack(sale)) add(`Given back, ${(METHODS[one.method] ?? one.method).toLowerCase()}${one.code ? ` ${one.code}` : ""}`, one.amount);
  for (const tax of sale.taxes) add(`${taxName(tax)} of ${tax.net}`, tax.tax, "sheet-tax");
  for (const card of sale.gift_cards) add(`Gift card ${card.code}`, card.amount);
  return rows;
}

/** What goods that came back in exchange were worth beyond the new ones, and how it went back. */
function moneyBack(sale) {
  return sale.returns.flatMap((one) => one.refunds).filter((one) => one.method !== "exchange" && one.method !== "owed");
}

/** What a customer's phone shows of the QR code: the receipt in a few lines of text. */
function receiptText(sale, till) {
  const lines = sale.lines.slice(0, 12).map((line) => `${line.quantity} x ${line.title.slice(0, 30)} ${line.line_total}`);
  const taxes = sale.taxes.map((tax) => `${taxName(tax)} ${tax.tax}`);
  return [till.organisation, sale.receipt.number, sale.receipt.completed_at?.slice(0, 16).replace("T", " ") ?? "", ...lines, `Total ${sale.total} ${till.currency}`, ...taxes].join("\n").slice(0, 900);
}
