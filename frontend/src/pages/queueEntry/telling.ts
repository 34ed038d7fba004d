/** When a position is told to people who listen: not at each step of the queue. */

export const QUIET_MS = 30_000;

export interface Told {
  position: number;
  at: number;
}

/** A position is told again after a while, or sooner if it has one digit less. */
export function isWorthTelling(told: Told | null, position: number, now: number): boolean {
  if (!told) return true;
  if (told.position === position) return false;
  return now - told.at >= QUIET_MS || String(position).length < String(told.position).length;
}
