// What a scanner types, told from what a person types.
//
// In the scan field everything in it counts on Enter, at any speed, and the field is empty at once: timing is never
// judged there. Elsewhere what was typed since the last pause and ends in Enter is a scan if it came as fast as no
// person types, or if the place has no use for it. Then it is taken out of the field again, and what was typed before
// it counts.

/** The three limits. They come from simulated keys; a real scanner that is slower is set right here. */
export const LIMITS = {
  /** A pause of so many milliseconds begins a new text. */
  pause: 150,
  /** Every key of a scan came within so many milliseconds of the one before. */
  gap: 50,
  /** So many characters at least. */
  characters: 3,
};

/** So many digits are no quantity and no amount. */
const DIGITS_OF_A_CODE = 8;

const NUMBERS = new Set(["decimal", "numeric"]);

/** Is the text, typed with these gaps in this kind of place ("text", "number", "none"), a scan? */
export function isScan(text, gaps, place) {
  if (text.length < LIMITS.characters) return false;
  if (gaps.every((gap) => gap <= LIMITS.gap)) return true;
  if (place === "none") return true;
  return place === "number" && (/[A-Za-z]/.test(text) || /\d{8}/.test(text.replace(/\D/g, "")) && text.length >= DIGITS_OF_A_CODE);
}

/** What a field is: "scan" (the scan field), "code" (a field of its own for codes), "number", "text", "none". */
export function placeOf(target) {
  if (!target?.matches?.("input, textarea, select")) return "none";
  if (target.dataset.scan !== undefined) return "scan";
  if (target.dataset.code !== undefined) return "code";
  if (["button", "submit", "checkbox", "radio"].includes(target.type)) return "none";
  return NUMBERS.has(target.inputMode) ? "number" : "text";
}

export class Scanner {
  #onScan;
  #text = "";
  #gaps = [];
  #last = -Infinity;
  #field = null; // where it began, and what was in it
  #before = null;

  /** `onScan(code, place)` for each scan outside the scan field. */
  constructor(onScan, root = document) {
    this.#onScan = onScan;
    root.addEventListener("keydown", (event) => this.#key(event), true);
  }

  #key(event) {
    const place = placeOf(event.target);
    if (place === "scan" || place === "code" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Enter") {
      this.#end(event, place);
    } else if (event.key.length === 1) {
      this.#add(event);
    }
  }

  #add(event) {
    const now = event.timeStamp;
    const field = event.target;
    if (now - this.#last > LIMITS.pause || field !== this.#field) {
      this.#text = "";
      this.#gaps = [];
      this.#field = field;
      this.#before = field.value;
    } else {
      this.#gaps.push(now - this.#last);
    }
    this.#text += event.key;
    this.#last = now;
  }

  #end(event, place) {
    const [text, gaps] = [this.#text, this.#gaps];
    this.#text = "";
    this.#gaps = [];
    if (event.target !== this.#field || event.timeStamp - this.#last > LIMITS.pause || !isScan(text, gaps, place)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (place !== "none" && this.#before !== undefined) {
      this.#field.value = this.#before;
      this.#field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    this.#onScan(text, place, event.target);
  }
}
