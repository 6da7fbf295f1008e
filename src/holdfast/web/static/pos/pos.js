// The till's page: the store (till.js), what types into it (scanner.js, keys.js), and what is seen of it.

import { Dialogs, byId } from "./dialogs.js";
import { Keys } from "./keys.js";
import { Scanner } from "./scanner.js";
import { sounds } from "./sounds.js";
import { Till } from "./till.js";
import { EventFeed } from "../feed.js";
import { CartView } from "./view_cart.js";
import { CustomerLink } from "./customer_link.js";
import { DrawerView } from "./view_drawer.js";
import { FindView } from "./view_find.js";
import { PayView } from "./view_pay.js";
import { PromptView } from "./view_prompts.js";
import { QueueView } from "./view_queue.js";
import { ReceiptView } from "./view_receipt.js";
import { ReturnView } from "./view_return.js";

const STREAM_AGAIN_MILLISECONDS = 2000;

const root = byId("pos");
if (/^(Mac|iP)/.test(navigator.platform)) root.dataset.keys = "mac"; // its F keys belong to it
const views = [];
const till = new Till({ signed: root.dataset.signed === "yes", onChange: (state) => views.forEach((view) => view.show(state)) });

const dialogs = new Dialogs((codes, from) => {
  if (till.state.receipt && from === "pay") codes.forEach((code) => till.cart.keep(code, "Scanned during the payment, not added"));
  else codes.forEach((code) => till.cart.scan(code));
});
till.cart.onAnswer = (how) => sounds[how]();

const feed = new EventFeed({
  till: true,
  onEvent: ({ type, data }) => till.heard(type, data ?? {}),
  onMissed: () => {
    till.refreshCart();
    till.refreshQueue();
  },
  onState: (state) => {
    const live = state === "on" || state === "polling" ? "live" : "connecting";
    if (live === "live" && till.state.live !== "live") {
      till.actions.hurry();
      till.refreshCart();
      till.refreshQueue();
    }
    if (live !== till.state.live) till.changed({ live });
    if (state === "out") outside();
  },
});

/** The stream is for nobody any more: the PIN is asked for, or the drawer was closed; else it begins again. */
async function outside() {
  await till.join();
  till.later("stream", STREAM_AGAIN_MILLISECONDS, () => till.state.phase === "sell" && feed.start());
}

const page = { till, dialogs, feed };
const parts = {
  cart: new CartView(page),
  find: new FindView(page),
  pay: new PayView(page),
  receipt: new ReceiptView(page),
  prompts: new PromptView(page),
  queue: new QueueView(page),
  returns: new ReturnView(page),
  drawer: new DrawerView(page),
};
views.push(...Object.values(parts), new CustomerLink());

/** Everything that a button or a key does, by its name. */
const acts = {
  scan: () => parts.find.focus(),
  quantity: () => parts.cart.editQuantity(),
  discount: () => parts.prompts.discount("line"),
  "discount-sale": () => parts.prompts.discount("sale"),
  suspend: () => till.queue.suspend(),
  queue: () => parts.queue.open(),
  return: () => parts.returns.open(),
  customer: () => parts.prompts.customer(),
  pay: () => parts.pay.open(),
  "exact-cash": () => parts.pay.exactCash(),
  drawer: () => parts.drawer.open(),
  cashier: () => parts.prompts.pin(),
  help: () => parts.prompts.help(),
  empty: () => parts.prompts.empty(),
  sounds: () => {
    sounds.on = !sounds.on;
    sounds.done();
    till.changed();
  },
  undo: () => till.state.said?.undo?.(),
  "name-it": () => parts.prompts.nameAside(),
  next: () => till.payment.next(),
  print: () => window.print(),
  "print-gift": () => parts.receipt.printGift(),
  qr: () => parts.receipt.showQr(),
  reopen: () => till.drawer.choose(),
  up: () => parts.find.move(-1) || till.cart.move(-1),
  down: () => parts.find.move(1) || till.cart.move(1),
  more: () => till.cart.step(till.state.chosen, 1),
  less: () => till.cart.step(till.state.chosen, -1),
  remove: () => till.cart.remove(till.state.chosen),
  back: () => parts.find.clear() || till.changed({ times: null, checking: false, said: null }),
};

root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button && !button.disabled) acts[button.dataset.do]?.();
});

new Scanner((code) => {
  if (till.state.phase === "sell" && !dialogs.current) {
    till.cart.scan(code);
    parts.find.focus();
  } else if (dialogs.current) dialogs.hold(code);
});
new Keys({ acts, dialogs, till });

window.addEventListener("online", () => till.actions.hurry());
window.addEventListener("beforeunload", (event) => {
  if (till.actions.waiting) event.preventDefault();
});

if (root.dataset.till === "yes") await till.join();
else await till.drawer.choose();
