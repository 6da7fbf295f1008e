// What each form of an entry's panel asks of the API, and what is said when it is done.
//
// A form has a request of the entry's facts and its fields, and words for afterwards. `above` is true where a quantity of
// 0 makes no sense; `optional` where the field may be empty.

import { numberText } from "./api.js";

const ADMIN = "/api/v1/admin/inventory";

function given(body, fields, names) {
  for (const name of names) {
    const text = fields[name]?.value.trim();
    if (text) body[name] = text;
  }
  return body;
}

function onHand({ texts }, answer) {
  const waiting = numberText(answer.backordered_quantity);
  const shortfall = waiting === "0" || waiting === texts.backordered ? "" : ` ${waiting} promised units wait for stock: open it to see whose.`;
  return `${texts.title}: ${numberText(answer.quantity)} on hand at ${texts.location} now.${shortfall}`;
}

export const REQUESTS = {
  adjust: {
    above: true,
    request({ store_id, product_id, texts }, fields, quantity) {
      const signed = fields.sign.value === "-" ? -quantity : quantity;
      const body = { store_id, product_id, location: texts.location, quantity: signed };
      return { method: "POST", path: `${ADMIN}/adjust`, body: given(body, fields, ["reason"]) };
    },
    done: onHand,
  },
  set: {
    request({ store_id, product_id, texts }, fields, quantity, expected) {
      const body = { store_id, product_id, location: texts.location, quantity, expected_quantity: expected };
      return { method: "POST", path: `${ADMIN}/set`, body: given(body, fields, ["reason"]) };
    },
    done: onHand,
  },
  count: {
    request({ product_id, texts }, _fields, counted) {
      return { method: "POST", path: "/api/v1/counts", body: { location: texts.location, lines: [{ product_id, counted }] } };
    },
    done: ({ texts }) => `${texts.title} is counted at ${texts.location}.`,
  },
  receive: {
    above: true,
    request({ product_id, texts }, fields, quantity) {
      const line = given({ product_id, quantity }, fields, ["unit_cost", "lot_code", "expires_at"]);
      return { method: "POST", path: "/api/v1/receipts", body: { location: texts.location, lines: [line] } };
    },
    done: ({ texts }) => `${texts.title} is received at ${texts.location}.`,
  },
  move: {
    above: true,
    request({ product_id, texts }, fields, quantity) {
      const body = { from_location: texts.location, to_location: fields.to.value, lines: [{ product_id, quantity }] };
      return { method: "POST", path: "/api/v1/transfers", body };
    },
    done: ({ texts }, answer) => `${texts.title} is on the way from ${answer.from_location} to ${answer.to_location}.`,
  },
  reorder: {
    optional: true,
    request({ texts }, _fields, quantity) {
      const path = `/api/v1/locations/${encodeURIComponent(texts.location)}`;
      return { method: "PATCH", path, body: { reorder_points: { [texts.sku]: quantity } } };
    },
    done: ({ texts }) => `The reorder point of ${texts.title} at ${texts.location} is kept.`,
  },
  delete: {
    request: ({ id }) => ({ method: "DELETE", path: `${ADMIN}/${id}` }),
    done: ({ texts }) => `${texts.title} at ${texts.location} is deleted.`,
  },
};
