/** The sound of the call: three notes that the browser computes, so no file is loaded. */

const CHOICE_KEY = "onsale.queue-sound";
const NOTES_HZ = [523.25, 659.25, 783.99];
const NOTE_S = 0.18;
const VOLUME = 0.25;

let context: AudioContext | null = null;

export const isSoundChosen = (): boolean => localStorage.getItem(CHOICE_KEY) === "on";

export function chooseSound(isOn: boolean): void {
  if (isOn) localStorage.setItem(CHOICE_KEY, "on");
  else localStorage.removeItem(CHOICE_KEY);
}

/** Browsers allow sound only after a click or a key; returns whether it is allowed now. */
export async function allowSound(): Promise<boolean> {
  context ??= new AudioContext();
  await context.resume();
  return context.state === "running";
}

export function playChime(times = 1): void {
  if (context?.state !== "running") return;
  for (let time = 0; time < times; time++) {
    for (const [index, frequency] of NOTES_HZ.entries()) {
      playNote(context, frequency, context.currentTime + time + index * NOTE_S);
    }
  }
}

function playNote(audio: AudioContext, frequency: number, at: number): void {
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(VOLUME, at + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S * 3);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(at);
  oscillator.stop(at + NOTE_S * 3);
}
