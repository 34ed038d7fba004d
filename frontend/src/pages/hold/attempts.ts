/**
 * The idempotency keys of what a person is trying to do (docs/adr/0072). The same attempt has the
 * same key after a double click, a reload and the back button, so it has one effect.
 */

interface Attempt {
  /** What is attempted; another content is another attempt. */
  content: string;
  key: string;
}

export class Attempts {
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, kind: "hold" | "purchase") {
    this.#storage = storage;
    this.#prefix = `onsale.attempt.${kind}.`;
  }

  /** Returns the key of this attempt at `place`, which is new if the content is. */
  keyOf(place: string, content: string): string {
    const known = this.#read(place);
    if (known?.content === content) return known.key;
    const key = crypto.randomUUID();
    this.#storage.setItem(this.#prefix + place, JSON.stringify({ content, key } satisfies Attempt));
    return key;
  }

  /** Returns what was last attempted at `place`, or null. */
  contentOf(place: string): string | null {
    return this.#read(place)?.content ?? null;
  }

  /** The next attempt gets a new key, even with the same content. */
  forget(place: string): void {
    this.#storage.removeItem(this.#prefix + place);
  }

  #read(place: string): Attempt | null {
    try {
      return JSON.parse(this.#storage.getItem(this.#prefix + place) ?? "null") as Attempt | null;
    } catch {
      return null;
    }
  }
}

/** All tabs share these: two tabs that hold the same choice get the same hold. */
export const holdAttempts = new Attempts(localStorage, "hold");
/** These contain a name and an address, and end with the tab. */
export const purchaseAttempts = new Attempts(sessionStorage, "purchase");
