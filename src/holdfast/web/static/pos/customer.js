// The customer's screen: it hears from the till in the same browser, and asks the server nothing.

import { CHANNEL } from "./customer_link.js";
import { fill, fillRows } from "./fill.js";

const channel = new BroadcastChannel(CHANNEL);
const place = document.getElementById("customer-screen");

channel.onmessage = ({ data }) => {
  if (!data) return;
  const some = data.lines.length > 0;
  const change = /[1-9]/.test(data.change) ? data.change : "";
  fill(place, { shop: data.shop || "Welcome", currency: data.currency, total: data.total, some, none: !some, change, paid: data.paid && !change, discount: data.discount ? `−${data.discount}` : "", words: data.open ? "Welcome" : "This till is closed" });
  const list = document.getElementById("customer-lines");
  fillRows(list, data.lines, (line) => line.id);
  list.lastElementChild?.scrollIntoView({ block: "nearest" });
};
channel.postMessage("what is there?");
