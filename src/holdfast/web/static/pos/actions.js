// One queue of actions, answered in order: one request at a time, each under a key that was made when the person acted.
// No answer means: the same request again under the same key, so nothing is done twice and nothing is lost.
//
//   actions.add({ name: "scan", build: () => ({ method, path, body }), answered: (answer) => ... })
//
// `build` is asked when the turn comes (an action may need what the one before it brought), once; null: nothing to do.
// `answered` gets { ok, status, document } before the next one is built. There is no DOM here.

export const TIMEOUT_MILLISECONDS = 10_000;
/** How long to wait before the same request is sent again, by how often it failed. */
export const AGAIN_MILLISECONDS = [300, 700, 1500, 3000, 5000];
/** Faults of the server's own after which an action is given up. */
export const FAULTS_MAX = 3;
/** Most actions that wait: beyond it the till says so instead of taking more. */
export const WAITING_MAX = 500;

export const PASSING = new Set([408, 429, 502, 503, 504]);
/** The answer of what was not sent, or was forgotten. */
const NOTHING = Object.freeze({ ok: false, status: 0, document: null });

/** A random key; `randomUUID` exists only over HTTPS and on this machine. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "till-" + [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Actions {
  #send;
  #onState;
  #onLocked;
  #onLost;
  #waiting = [];
  #running = false;
  #locked = null; // resolves when a cashier is back
  #wake = null; // ends a pause early
  away = null; // since when the server does not answer
  unanswered = false; // the first of the queue was sent, and nothing came back yet
  busy = ""; // why the server takes nothing just now, in its words

  /** `onState()` when something of it changed; `onLocked(problem)` when a PIN is asked for; `onLost(problem)`. */
  constructor({ send = (...asked) => fetch(...asked), onState, onLocked, onLost }) {
    this.#send = send;
    this.#onState = onState;
    this.#onLocked = onLocked;
    this.#onLost = onLost;
  }

  /** How many are not answered yet. */
  get waiting() {
    return this.#waiting.length;
  }

  /** The name of the one that is being sent. */
  get current() {
    return this.#waiting[0]?.name ?? null;
  }

  /** Put an action at the end; a promise of its answer. */
  add({ name, build, answered, pin = null, key = newKey() }) {
    if (this.#waiting.length >= WAITING_MAX) {
      const full = { ok: false, status: 0, document: { code: "BUSY", detail: `${WAITING_MAX} actions wait already. Wait until the server answers.` } };
      answered?.(full);
      return Promise.resolve(full);
    }
    const promise = new Promise((resolve) => this.#waiting.push({ name, build, answered, pin, key, resolve, request: null, dropped: false }));
    this.#run();
    this.#onState();
    return promise;
  }

  /** A cashier gave the PIN: go on. */
  unlock() {
    this.#locked?.();
    this.#locked = null;
  }

  /** Try now, as when the network is back. */
  hurry() {
    this.#wake?.();
  }

  /** Forget everything that waits; what was sent may have been done. */
  clear() {
    for (const action of this.#waiting.splice(0)) {
      action.dropped = true;
      action.resolve(NOTHING);
    }
    this.unlock();
    this.hurry();
    this.#settled();
  }

  /** Ask for something, outside the queue: { ok, status, document }. Throws where there is no answer. */
  async read(path, { signal } = {}) {
    return this.#fetch({ method: "GET", path }, {}, signal);
  }

  /** Send something that may not wait in the queue, as a PIN, once. Throws where there is no answer. */
  async once({ method, path, body, pin = null, key = newKey() }) {
    return this.#fetch({ method, path, body }, { "Idempotency-Key": key, ...(pin && { "X-Cashier-Pin": pin }) });
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.length) {
      const action = this.#waiting[0];
      let answer = NOTHING;
      try {
        action.request ??= action.build();
        if (action.request !== null) answer = await this.#answerOf(action);
        if (!action.dropped) action.answered?.(answer);
      } catch (error) {
        reportError(error); // a fault of the page's own stops this action, not those behind it
      }
      if (action.dropped) continue; // everything was forgotten meanwhile
      this.#waiting.shift();
      action.resolve(answer);
      this.#onState();
    }
    this.#running = false;
  }

  /** Send until there is an answer. */
  async #answerOf(action) {
    let faults = 0;
    for (let tries = 0; ; tries += 1) {
      let pause = AGAIN_MILLISECONDS[Math.min(tries, AGAIN_MILLISECONDS.length - 1)];
      try {
        const headers = { "Idempotency-Key": action.key, ...(action.pin && { "X-Cashier-Pin": action.pin }) };
        const answer = await this.#fetch(action.request, headers);
        if (action.dropped) return NOTHING;
        if (answer.status === 401 && !action.pin) {
          this.#settled();
          if (!answer.document?.pin_needed) this.#onLost(answer.document);
          else this.#onLocked(answer.document);
          await new Promise((resolve) => (this.#locked = resolve));
          if (action.dropped) return NOTHING;
          tries = -1;
          continue;
        }
        if (answer.status === 500) faults += 1;
        if (!PASSING.has(answer.status) && (answer.status !== 500 || faults >= FAULTS_MAX)) {
          this.#settled();
          return answer;
        }
        if (answer.status === 429) {
          // Somebody answers, and says how long: too many requests, or too many wrong PINs.
          this.#settled();
          this.busy = answer.document?.detail ?? "Too much was asked at once.";
        }
        if (answer.retryAfter) pause = Math.min(answer.retryAfter * 1000, 60_000);
      } catch {
        if (action.dropped) return NOTHING;
      }
      if (!this.busy) this.away ??= new Date();
      this.unanswered = true;
      this.#onState();
      await this.#pause(pause);
      if (action.dropped) return NOTHING;
    }
  }

  #settled() {
    this.away = null;
    this.busy = "";
    this.unanswered = false;
    this.#onState();
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #fetch({ method, path, body }, headers, signal) {
    const limit = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    const response = await this.#send(`/api/v1${path}`, {
      method,
      credentials: "same-origin",
      headers: { Accept: "application/json", Authorization: "Register", ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    const text = response.status === 204 ? "" : await response.text();
    return {
      ok: response.ok,
      status: response.status,
      document: text ? JSON.parse(text) : null,
      retryAfter: Number(response.headers.get("Retry-After")) || 0,
    };
  }
}
