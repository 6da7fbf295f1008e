// Amounts of money while somebody types one: whole minor units, and nothing else is ever added up here.

/** What was typed ("12,5", "12.50") in minor units; null when it is no amount of 0 or more. */
export function minorOf(text, digits) {
  const match = /^(\d{1,12})(?:[.,](\d+))?$/.exec(text.trim());
  if (!match) return null;
  const places = (match[2] ?? "").replace(/0+$/, "");
  if (places.length > digits) return null;
  return Number(match[1]) * 10 ** digits + Number(places.padEnd(digits, "0") || "0");
}

/** Minor units as the API writes an amount: 1250 is "12.50". */
export function amountText(minor, digits) {
  const text = String(Math.abs(minor)).padStart(digits + 1, "0");
  const whole = digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
  return minor < 0 ? `-${whole}` : whole;
}

/** The change of a tender, as text; null when it is less than what is due. */
export function changeText(tender, due, digits) {
  return tender >= due ? amountText(tender - due, digits) : null;
}

/** The next notes above what is due, in minor units: for 12.30 they are 15, 20 and 50. */
export function notesAbove(due, digits) {
  const unit = 10 ** digits * (digits === 0 ? 100 : 1);
  const found = new Set();
  for (const note of [5, 10, 20, 50, 100, 200, 500]) {
    const next = Math.ceil((due + 1) / (note * unit)) * note * unit;
    if (due > 0) found.add(next);
  }
  return [...found].sort((a, b) => a - b).slice(0, 3);
}

/** A tax as people read it: its name with the rate ("0.15" is 15%), unless the name says a rate itself. */
export function taxName({ name, rate }) {
  if (/%/.test(name ?? "")) return name;
  return `${name ?? "Tax"} ${Number((Number(rate) * 100).toFixed(4))}%`;
}
