// Compares what a page shows with what was pushed, and with what it showed before.
import type { Data } from './shop';

type Seen = { epoch: number; version: number; fields: Record<string, string> };

/** Returns the objects that have a version, by their place: their id, or the field of an object with an id. */
export function objectsOf(data: Data): Map<string, Seen> {
  const found = new Map<string, Seen>();
  collect(data, '', found);
  return found;
}

function collect(value: Data, place: string, found: Map<string, Seen>): void {
  if (Array.isArray(value)) return value.forEach((item) => collect(item, '', found));
  if (typeof value !== 'object' || value === null) return;
  const own: string = value.id ?? place;
  if (own && typeof value.version === 'number') {
    const plain = Object.entries(value).filter(([name, inner]) => name !== '__typename' && isPlain(inner));
    const fields = Object.fromEntries(plain.map(([name, inner]) => [name, JSON.stringify(inner)]));
    found.set(own, { epoch: value.epoch, version: value.version, fields: { ...found.get(own)?.fields, ...fields } });
  }
  for (const [name, inner] of Object.entries(value)) collect(inner, own && `${own}.${name}`, found);
}

const isPlain = (value: unknown) => typeof value !== 'object' || value === null;

const isOlder = (one: Seen, other: Seen) =>
  one.epoch < other.epoch || (one.epoch === other.epoch && one.version < other.version);

/** What a watched query has shown, and everything that was wrong with it. */
export class View {
  data: Data = null;
  shown = 0;
  compared = 0;
  readonly faults: string[] = [];
  #objects = new Map<string, Seen>();

  constructor(readonly title: string) {}

  readonly show = (data: Data): void => {
    const objects = objectsOf(data);
    for (const [place, now] of objects) {
      const before = this.#objects.get(place);
      if (before && isOlder(now, before)) this.#report(`an older version follows a newer one`, place, now, before);
    }
    this.#objects = new Map([...this.#objects, ...objects]);
    this.data = data;
    this.shown += 1;
  };

  /** Checks that the objects of a push are shown, at its version or a later one. */
  compare(push: Data): void {
    for (const [place, pushed] of objectsOf(push)) {
      const shown = this.#objects.get(place);
      if (!shown) continue;
      this.compared += 1;
      if (isOlder(shown, pushed)) this.#report('the push is not shown', place, shown, pushed);
      if (isOlder(shown, pushed) || isOlder(pushed, shown)) continue;
      for (const [name, value] of Object.entries(pushed.fields)) {
        if (name in shown.fields && shown.fields[name] !== value) this.#report(`${name} differs`, place, shown, pushed);
      }
    }
  }

  #report(what: string, place: string, ...both: [Seen, Seen]): void {
    this.faults.push(`${this.title}: ${what} at ${place}: ${both.map((one) => JSON.stringify(one)).join(', ')}`);
  }
}
