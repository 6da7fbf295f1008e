// What each form of a sale's page asks of the API, and what is said when it is done. `lines` are the words for a form
// whose lines are all empty; `keep` is said until the page is left.

const SALES = "/api/v1/sales";

function amountOf(field) {
  return field.value.trim().replace(",", ".");
}

function given(fields, names) {
  const body = {};
  for (const name of names) if (fields[name]?.value.trim()) body[name] = fields[name].value.trim();
  return body;
}

export const REQUESTS = {
  ship: {
    lines: "Say of one line at least how much of it goes out.",
    request: (saleId, fields, lines) => ({
      method: "POST",
      path: `${SALES}/${saleId}/fulfillments`,
      body: { lines: lines.map(({ line_id, quantity }) => ({ line_id, quantity })), ...given(fields, ["tracking"]) },
    }),
    done: (sale) => ({ text: sale.status === "completed" ? `${sale.number} is shipped and completed.` : `A part of ${sale.number} is shipped.` }),
  },
  pay: {
    request: (saleId, fields) => ({
      method: "POST",
      path: `${SALES}/${saleId}/payments`,
      body: {
        method: fields.method.value,
        amount: amountOf(fields.amount),
        ...(fields.method.value === "gift_card" ? given(fields, ["code"]) : {}),
      },
    }),
    done: (sale) => ({ text: `The payment is kept. Still to pay: ${sale.owed}.` }),
  },
  return: {
    lines: "Say of one line at least how much of it comes back.",
    request: (saleId, fields, lines) => ({
      method: "POST",
      path: "/api/v1/returns",
      body: {
        sale_id: saleId,
        lines: lines.map(({ line_id, quantity, condition }) => ({ line_id, quantity, condition })),
        refund: { method: fields.method.value },
        fees: fields.fees?.checked ?? true,
      },
    }),
    done: (made) => {
      const card = made.refunds.find((one) => one.code);
      return {
        text: `The goods are back, ${made.refund_total} goes back to the customer.`,
        keep: card && `The new gift card is ${card.code}, with ${card.amount} on it. Write it down: it is not shown again.`,
      };
    },
  },
  cancel: {
    request: (saleId) => ({ method: "POST", path: `${SALES}/${saleId}/cancel` }),
    done: (sale) => ({ text: sale.status === "cancelled" ? `${sale.number} is cancelled.` : `The rest of ${sale.number} is cancelled.` }),
  },
  correct: {
    request: (saleId, fields, _lines, paymentId) => ({
      method: "POST",
      path: `${SALES}/${saleId}/payments/${paymentId}/correct`,
      body: { method: fields.method.value },
    }),
    done: () => ({ text: "The payment is corrected." }),
  },
  revert: {
    request: (saleId, fields, _lines, shipmentId) => ({
      method: "POST",
      path: `${SALES}/${saleId}/fulfillments/${shipmentId}/revert`,
      body: given(fields, ["reason"]),
    }),
    done: () => ({ text: "The shipment is taken back; its units are held again." }),
  },
};
