/** The rule by which an older answer never replaces a newer push, as in docs/frontend.md. */

type Fields = Record<string, unknown>;
type Read = { epoch: number; version: number };

/** Replaces fields of answers and pushes that are older than those of earlier ones. */
export class Newest {
  readonly #known = new Map<string, Read & { value: unknown }>();

  update<Data>(data: Data): Data {
    return this.#updated(data, "") as Data;
  }

  #updated(value: unknown, place: string): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#updated(item, ""));
    if (!isObject(value)) return value;
    const owner = typeof value.id === "string" ? value.id : place;
    const fields = Object.entries(value).map(([name, inner]) => {
      const at = owner && `${owner}.${name}`;
      const read = readOf(name, inner, value);
      return [name, this.#updated(at && isRead(read) ? this.#newest(at, inner, read) : inner, at)];
    });
    return Object.fromEntries(fields);
  }

  #newest(at: string, value: unknown, { epoch, version }: Read): unknown {
    if (isObject(value) && "pageInfo" in value) return value; // pages of a list are different objects
    const known = this.#known.get(at);
    if (known && (epoch < known.epoch || (epoch === known.epoch && version < known.version))) {
      return replaced(value, known.value);
    }
    this.#known.set(at, { epoch, version, value });
    return value;
  }
}

/** What a person has at a concert changes with its stock; other fields change with their object. */
function readOf(name: string, value: unknown, object: Fields): unknown {
  return name === "myHold" || name === "myQueueEntry" ? (value ?? object.stock ?? object.waitingRoom) : object;
}

/** Puts newer values into an older field. What has an id or a version of its own is compared by that. */
function replaced(older: unknown, newer: unknown): unknown {
  if (!isObject(older) || !isObject(newer) || older.id !== newer.id) return newer;
  if (older.id !== undefined || isRead(older)) return older;
  const fields = Object.entries(newer).map(([name, value]) => [name, replaced(older[name], value)]);
  return { ...older, ...Object.fromEntries(fields) };
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRead(value: unknown): value is Fields & Read {
  return isObject(value) && typeof value.epoch === "number" && typeof value.version === "number";
}
