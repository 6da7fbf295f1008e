// The JSON API as a page asks it: with the session's cookie, and a key that makes sure that nothing is done twice.

import { toSignIn } from "./partials.js";

/** What a person does once, however often it has to be sent: the same request has the same key until it is answered. */
export class Attempt {
  #asked = "";
  #key = "";

  /** Sends; `{ ok, document }`. Throws where no answer came: the same request may then be sent again. */
  async send({ method, path, body }) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const same = `${method} ${path} ${text ?? ""}`;
    if (this.#asked !== same) [this.#asked, this.#key] = [same, newKey()];
    const headers = { Accept: "application/json", "Idempotency-Key": this.#key };
    if (text !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(path, { method, headers, body: text, credentials: "same-origin" });
    if (response.status === 401) toSignIn();
    const document = response.status === 204 ? null : await response.json();
    // What is answered is over: what is sent next is a new attempt.
    if (response.status < 500) this.#asked = "";
    return { ok: response.ok, document };
  }
}

/** A read of the API; `{ ok, document }`. */
export async function read(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (response.status === 401) toSignIn();
  return { ok: response.ok, status: response.status, document: await response.json() };
}

export const NOT_KNOWN =
  "The server could not be reached, so it is not known whether this was done. Try again: it is never done twice.";

/** The words of a refusal. */
export function refusal(problem) {
  return problem?.detail ?? "That was refused.";
}

/** A quantity as the server shows it: thousands apart, up to four places. */
export function numberText(number) {
  return number.toLocaleString("en", { maximumFractionDigits: 4 });
}

const NUMBER = /^\d{1,13}([.,]\d{1,4})?$/;

/** The number that somebody typed into a field, 0 or more; null where it is none. */
export function typedNumber(field) {
  const text = field.value.trim();
  return NUMBER.test(text) ? Number(text.replace(",", ".")) : null;
}

/** A random key; `randomUUID` exists only over HTTPS and on this machine. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "page-" + [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
