// The drawer: open it with a counted float, put cash in or take it out, read it (X), count it blind and close it (Z).

import { newKey } from "./actions.js";
import { personOf, timeOf } from "./words.js";

export class Drawer {
  #closing = null; // the same key as long as the same count is sent

  constructor(till) {
    this.till = till;
  }

  get #state() {
    return this.till.state;
  }

  /** There is no till here: show the registers that could be one. They are asked for by who is signed in. */
  async choose(why = "") {
    this.till.changed({ phase: "choose", why, till: null, cart: null, payment: null });
    if (!this.till.signed) return;
    try {
      const response = await this.till.send("/api/v1/registers?limit=200", { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (response.status === 401) this.till.signed = false;
      const found = response.ok ? await response.json() : [];
      this.till.changed({ registers: found.items ?? found });
    } catch {
      this.till.later("choose", 2000, () => this.choose(why));
    }
  }

  /** Why a drawer that was open here is not open any more; who may read its sessions learns who has closed it. */
  async lostWords(till) {
    if (!till) return "";
    const name = till.register.name ?? till.register.code;
    try {
      const path = `/api/v1/registers/${till.register.id}/sessions/${till.session_number}`;
      const response = await this.till.send(path, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      const session = response.ok ? await response.json() : null;
      if (session?.closed_at) return `The drawer of ${name} was closed by ${personOf(session.closed_by)} at ${timeOf(session.closed_at)}. Open carts are in the queue.`;
    } catch {
      // Nobody answers: the words below are true all the same.
    }
    return `The drawer of ${name} is not open in this browser any more: somebody else has closed it. Open carts are in the queue.`;
  }

  /** Close a session whose browser was lost. Answers an error text, or "". */
  async closeLost(register, counted) {
    const amount = counted.trim().replace(",", ".");
    const headers = { Accept: "application/json", "Content-Type": "application/json", "Idempotency-Key": newKey() };
    const address = `/api/v1/registers/${register.id}/sessions`;
    try {
      const found = await this.till.send(`${address}?limit=1`, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!found.ok) return (await found.json()).detail;
      const number = (await found.json()).items[0].number;
      const response = await this.till.send(`${address}/${number}/close`, { method: "POST", credentials: "same-origin", headers, body: JSON.stringify({ counted_cash: amount }) });
      if (!response.ok) return (await response.json()).detail;
    } catch {
      return "The server cannot be reached. Try again: a drawer is closed once.";
    }
    await this.choose(`The drawer of ${register.name ?? register.code} is closed.`);
    return "";
  }

  /** Open a register in this browser. Answers an error text, or "". */
  async open(registerId, float, pin) {
    const body = { opening_float: float.trim().replace(",", "."), cookie: true, ...(pin && { pin }) };
    let answer;
    try {
      const response = await this.till.send(`/api/v1/registers/${registerId}/sessions`, {
        method: "POST",
        credentials: "same-origin",
        headers: { Accept: "application/json", "Content-Type": "application/json", "Idempotency-Key": newKey() },
        body: JSON.stringify(body),
      });
      answer = { ok: response.ok, document: await response.json() };
    } catch {
      return "The server cannot be reached. Try again; if the register is open then, a manager closes it here first.";
    }
    if (!answer.ok) return answer.document?.detail ?? "It was not opened.";
    await this.till.join();
    return "";
  }

  /** The X report: the drawer as it stands. */
  async report() {
    return this.till.readQuietly("/pos/session");
  }

  /** Cash in or out. Answers an error text, or "". */
  async cash(direction, amount, reason, account, pin) {
    const body = { direction, amount: amount.trim().replace(",", "."), reason: reason.trim(), ...(account && { account }) };
    const answer = await this.till.actions.add({
      name: "cash",
      pin: pin || null,
      build: () => ({ method: "POST", path: "/pos/cash", body }),
    });
    if (!answer.ok) return answer.document?.detail ?? "It was not done.";
    this.till.say(`${answer.document.amount} ${direction === "in" ? "put into" : "taken out of"} the drawer: ${answer.document.reason}.`, "done");
    return "";
  }

  /** What keeps the drawer from being closed now; "" when nothing does. */
  get waits() {
    const waiting = this.till.actions.waiting;
    return waiting ? `${waiting} ${waiting === 1 ? "action is" : "actions are"} not sent yet. Closing waits for them.` : "";
  }

  /** Count and close. The Z report is in `state.report` then; answers an error text, or "". */
  async close(counted) {
    if (this.waits) return this.waits;
    const amount = counted.trim().replace(",", ".");
    if (this.#closing?.amount !== amount) this.#closing = { amount, key: newKey() };
    const answer = await this.till.actions.add({
      name: "close",
      key: this.#closing.key,
      build: () => ({ method: "POST", path: "/pos/session/close", body: { counted_cash: amount } }),
    });
    if (!answer.ok) {
      this.#closing = null;
      return answer.document?.detail ?? "It was not closed.";
    }
    const { till } = this.#state;
    this.#closing = null;
    this.till.changed({ phase: "closed", report: { ...answer.document, register: till.register, store: till.store, currency: till.currency, organisation: till.organisation }, cart: null, till: null });
    return "";
  }
}
