// One stream of what happens in the shop, as it happens: Server-Sent Events, or, where they do not come through, asking
// again. It runs in the shared worker (stream-worker.js), or in a page where there is none (feed.js).

const RETRY_MILLISECONDS = [500, 1000, 2000, 5000, 10_000]; // after the first failure in a row, the second, ...
const SILENCE_MILLISECONDS = 40_000; // a living stream says something every 15 seconds
const FIRST_WORD_MILLISECONDS = 8000; // what comes later than this was kept back on its way
const FAILURES_MAX = 3; // of the stream in a row, before we ask instead
const POLL_MILLISECONDS = 2000;
const POLL_LIMIT = 200;
const POLLS_MAX = 30; // then the stream is tried again
const NOW = "end"; // the cursor that means: what comes from now on

/**
 * Follows events from a cursor on.
 *
 * `onEvent(event)`; `onMissed()` when events may have been lost, so that what is shown has to be read again;
 * `onState(state, since)` with "on", "polling" (alive, by asking), "waiting" (not alive since that time in milliseconds
 * since 1970, null: never yet), "off" (stopped), "out" (signed out, or somebody else is signed in).
 * `who` is the mark of the caller for whom it is; without one it takes the first that answers. A `till` asks by the
 * browser's till cookie.
 */
export class EventStream {
  #cursor;
  #who;
  #till;
  #onEvent;
  #onState;
  #onMissed;
  #abort = null;
  #aliveAt = null;

  constructor({ cursor = NOW, who = null, till = false, onEvent, onState, onMissed = () => {} }) {
    this.#cursor = cursor || NOW;
    this.#who = who;
    this.#till = till;
    this.#onEvent = onEvent;
    this.#onState = onState;
    this.#onMissed = onMissed;
  }

  get running() {
    return this.#abort !== null;
  }

  /** From where to go on. */
  get cursor() {
    return this.#cursor;
  }

  start() {
    if (this.running) return;
    this.#abort = new AbortController();
    this.#run(this.#abort.signal);
  }

  stop() {
    this.#end("off");
  }

  #end(state) {
    this.#abort?.abort();
    this.#abort = null;
    this.#onState(state, this.#aliveAt);
  }

  async #run(signal) {
    let failures = 0; // in a row, for whatever reason
    let stifled = 0; // since the last success, how often the server was there and its stream did not come
    this.#onState("waiting", this.#aliveAt);
    while (!signal.aborted) {
      const before = this.#aliveAt;
      try {
        if (stifled < FAILURES_MAX) await this.#listen(signal);
        else await this.#ask(signal);
        failures = stifled = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Out) return this.#end("out");
        if (error instanceof Lost) this.#restart();
        failures = this.#aliveAt === before ? failures + 1 : 0;
        if (!(error instanceof TypeError)) stifled += 1; // fetch's word for a server that cannot be reached
      }
      if (signal.aborted) return;
      this.#onState("waiting", this.#aliveAt);
      await pause(RETRY_MILLISECONDS[Math.min(failures, RETRY_MILLISECONDS.length - 1)], signal);
    }
  }

  /** Follow the stream until it ends; throws when it does not come. */
  async #listen(signal) {
    const own = new AbortController();
    const end = () => own.abort();
    signal.addEventListener("abort", end, { once: true });
    let timer = setTimeout(end, FIRST_WORD_MILLISECONDS);
    try {
      const response = await this.#fetch("text/event-stream", `cursor=${encodeURIComponent(this.#cursor)}`, own.signal);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const read = reading((id) => (this.#cursor = id), this.#onEvent);
      for (let words = 0; ; words += 1) {
        const { done, value } = await reader.read();
        if (signal.aborted) return;
        if (done && !words) throw new Error("the stream ended before its first word");
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(end, SILENCE_MILLISECONDS);
        this.#alive("on");
        read(value);
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      own.abort();
    }
  }

  /** Ask again and again, for a while; throws when the server is away. */
  async #ask(signal) {
    for (let count = 0; count < POLLS_MAX && !signal.aborted; count += 1) {
      const asked = `limit=${POLL_LIMIT}&cursor=${encodeURIComponent(this.#cursor)}`;
      const response = await this.#fetch("application/json", asked, signal);
      const page = await response.json();
      if (signal.aborted) return;
      this.#cursor = page.next_cursor;
      this.#alive("polling");
      page.items.forEach((event) => this.#onEvent(event));
      if (page.items.length < POLL_LIMIT) await pause(POLL_MILLISECONDS, signal);
    }
  }

  async #fetch(accept, query, signal) {
    const headers = { Accept: accept };
    if (this.#till) headers.Authorization = "Register";
    const response = await fetch(`/api/v1/events?${query}`, { headers, signal, credentials: "same-origin", cache: "no-store" });
    if (response.status === 401 || response.status === 403) throw new Out();
    if (response.status === 400) throw new Lost(); // the cursor is of another time, or of another database
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const who = response.headers.get("Holdfast-Caller");
    this.#who ??= who;
    if (who !== this.#who) throw new Out();
    return response;
  }

  #alive(state) {
    this.#aliveAt = Date.now();
    this.#onState(state, this.#aliveAt);
  }

  #restart() {
    this.#cursor = NOW;
    this.#onMissed();
  }
}

class Out extends Error {}
class Lost extends Error {}

/** Reads the text of a stream as it comes, in pieces of any length (WHATWG HTML, section 9.2.6). */
function reading(onId, onEvent) {
  let rest = "";
  return (text) => {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
      const data = fields.filter(([name]) => name === "data").map(([, value]) => value);
      const id = fields.find(([name]) => name === "id");
      if (id) onId(id[1]);
      if (data.length) onEvent(JSON.parse(data.join("\n")));
    }
  };
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end, { once: true });
  });
}
