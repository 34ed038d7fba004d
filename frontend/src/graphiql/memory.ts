/**
 * Fills in `{{name}}` in variables when an operation is run, so that users do not have to copy ids
 * from tab to tab. `newKey` is a new idempotency key each time; `queuePass`, `holdId`, `orderId`,
 * `ticketId`, `ticketCode`, `newConcert` and `newTier` are the last values received.
 */

import type { Session } from "../session";

const PLACEHOLDER = /^\{\{(\w+)\}\}$/;

const MISSING: Record<string, string> = {
  queuePass: "There is no queue pass yet: run the tab ClaimPass first, and JoinQueue before it.",
  holdId: "There is no hold yet: run the tab HoldTickets first.",
  orderId: "There is no order yet: run the tab BuyTickets first.",
  ticketId: "There is no ticket yet: run the tab MyTickets first.",
  ticketCode: "There is no code yet: sign in as the holder of a ticket and run the tab MyTickets first.",
  newConcert: "You have not created a concert yet: sign in as olivia and run the tab CreateConcert first.",
  newTier: "You have not created a concert yet: sign in as olivia and run the tab CreateConcert first.",
  myName: "There is no name of yours: sign in above first, or write one into the variables.",
  myEmail: "Your email address is not known: sign in above first, or enter one in the variables.",
};

/** What another user needs: the code of a ticket to scan, and a concert to buy tickets for. */
const FOR_OTHERS = ["ticketCode", "newConcert", "newTier"];

export class MissingValue extends Error {}

export class Memory {
  #known = new Map<string, string>();
  readonly #signedIn: () => Session | null;

  /** `signedIn` returns the signed-in user, who determines `myName` and `myEmail`. */
  constructor(signedIn: () => Session | null) {
    this.#signedIn = signedIn;
  }

  /** Forgets all values but those for others. Call this when another user signs in. */
  readonly forget = (): void => {
    for (const name of [...this.#known.keys()]) if (!FOR_OTHERS.includes(name)) this.#known.delete(name);
  };

  /** Returns the variables with all values filled in. Throws MissingValue if one is not known. */
  fill(value: unknown): unknown {
    if (typeof value === "string") return this.#filled(value);
    if (Array.isArray(value)) return value.map((item) => this.fill(item));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.fill(item)]));
  }

  learn(answer: unknown): void {
    if (!isObject(answer) || !isObject(answer["data"])) return;
    for (const result of Object.values(answer["data"])) this.#learnFrom(result);
  }

  #filled(text: string): string {
    const name = PLACEHOLDER.exec(text)?.[1];
    if (name === undefined) return text;
    if (name === "newKey") return newKey();
    const known = this.#ofUser(name) ?? this.#known.get(name);
    if (known !== undefined) return known;
    throw new MissingValue(
      MISSING[name] ?? `There is no value {{${name}}}; use newKey, ${Object.keys(MISSING).join(", ")}.`,
    );
  }

  #ofUser(name: string): string | null {
    if (name === "myName") return this.#signedIn()?.fullName ?? null;
    return name === "myEmail" ? (this.#signedIn()?.email ?? null) : null;
  }

  #learnFrom(result: unknown): void {
    if (!isObject(result)) return;
    const { hold, order, entry, tickets, concert } = result;
    if (isObject(hold)) this.#keep("holdId", hold["id"]);
    if (isObject(order)) this.#keep("orderId", order["id"]);
    const newest: unknown = isObject(tickets) && Array.isArray(tickets["nodes"]) ? tickets["nodes"][0] : null;
    if (isObject(newest)) {
      this.#keep("ticketId", newest["id"]);
      this.#keep("ticketCode", newest["code"]);
    }
    if (isObject(concert)) {
      const tiers: unknown = concert["tiers"];
      this.#keep("newConcert", concert["id"]);
      if (Array.isArray(tiers) && isObject(tiers[0])) this.#keep("newTier", tiers[0]["id"]);
    }
    if (isObject(entry) && isObject(entry["pass"])) this.#keep("queuePass", entry["pass"]["token"]);
  }

  #keep(name: string, value: unknown): void {
    if (typeof value === "string") this.#known.set(name, value);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function newKey(): string {
  // crypto.randomUUID exists only on localhost and https.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
