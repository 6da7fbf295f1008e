// The one stream of a browser: all its tabs listen to it through this shared worker.
//
// A page says {does: "join", who, till, cursor} and hears {event, cursor}, {state, since}, {missed}; {does: "leave"} ends it.
// There is a stream for the person who is signed in and one for the till, each while somebody listens.

import { EventStream } from "./stream.js";

class Channel {
  #ports = new Set();
  #till;
  #stream = null;
  #who = null;
  #last = { state: "off", since: null };

  constructor(till) {
    this.#till = till;
  }

  join(port, who, cursor) {
    if (this.#who && who && this.#who !== who) this.#close("out"); // another person: who was here hears nothing of theirs
    this.#ports.add(port);
    if (this.#stream?.running) {
      // The stream is at some later place than the page: what was between, the page has to read.
      port.postMessage({ ...this.#last });
      port.postMessage({ missed: true });
      return;
    }
    this.#who = who;
    this.#stream = this.#opened(who, cursor);
    this.#stream.start();
  }

  leave(port) {
    if (this.#ports.delete(port) && this.#ports.size === 0) this.#close("off");
  }

  #opened(who, cursor) {
    const stream = new EventStream({
      cursor,
      who,
      till: this.#till,
      onEvent: (event) => this.#tell({ event, cursor: stream.cursor }),
      onMissed: () => this.#tell({ missed: true }),
      onState: (state, since) => {
        if (stream !== this.#stream) return;
        const news = state !== this.#last.state || state === "waiting";
        this.#last = { state, since };
        if (news) this.#tell({ state, since });
        if (state === "out") this.#forget();
      },
    });
    return stream;
  }

  #close(state) {
    this.#tell({ state, since: this.#last.since });
    const stream = this.#stream;
    this.#forget();
    stream?.stop();
  }

  #forget() {
    this.#stream = null;
    this.#who = null;
    this.#ports.clear();
    this.#last = { state: "off", since: null };
  }

  #tell(message) {
    for (const port of this.#ports) port.postMessage(message);
  }
}

const person = new Channel(false);
const till = new Channel(true);

self.addEventListener("connect", ({ ports: [port] }) => {
  port.addEventListener("message", ({ data }) => {
    const channel = data.till ? till : person;
    if (data.does === "join") channel.join(port, data.who, data.cursor);
    if (data.does === "leave") channel.leave(port);
  });
  port.start();
  port.postMessage({ ready: true });
});
