// Two sounds that cannot be mistaken for each other: done (one high tone) and not done (two low ones). They can be off.

const CHOICE = "holdfast-till-sounds";
let context = null;

export const sounds = {
  get on() {
    return localStorage.getItem(CHOICE) !== "off";
  },
  set on(on) {
    localStorage.setItem(CHOICE, on ? "on" : "off");
  },
  /** What was scanned is in the cart. */
  done() {
    play([[1320, 0, 0.07]]);
  },
  /** It is not. */
  refused() {
    play([[220, 0, 0.16], [165, 0.18, 0.26]]);
  },
};

function play(tones) {
  if (!sounds.on || !navigator.userActivation?.hasBeenActive || !("AudioContext" in window)) return;
  context ??= new AudioContext();
  const now = context.currentTime;
  for (const [pitch, after, length] of tones) {
    const tone = context.createOscillator();
    const loudness = context.createGain();
    tone.type = pitch < 400 ? "square" : "sine";
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0.12, now + after);
    loudness.gain.exponentialRampToValueAtTime(0.001, now + after + length);
    tone.connect(loudness).connect(context.destination);
    tone.start(now + after);
    tone.stop(now + after + length);
  }
}
