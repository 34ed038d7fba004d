/**
 * The concert in the example tabs: the demo concert with a waiting room or, if it does not exist,
 * the first concert on sale.
 */

export interface DemoConcert {
  id: string;
  name: string;
  tiers: { id: string; name: string }[];
}

/** The slug of the concert in deploy/demo/concerts.json that has a waiting room. */
const SLUG = "lantern-ferry-royal-albert-hall";

const FIND = `query FindConcert($slug: String!, $now: DateTime!) {
  concert(by: {slug: $slug}) { ...Shown }
  concerts(first: 1, filter: { onSaleAt: $now }) { nodes { ...Shown } }
}
fragment Shown on Concert { id name tiers { id name } }`;

interface Found {
  data?: { concert: DemoConcert | null; concerts: { nodes: DemoConcert[] } } | null;
}

/** Returns null if nothing is on sale or the catalog is unavailable. The page works without it. */
export async function findDemoConcert(): Promise<DemoConcert | null> {
  const response = await fetch("/graphql", {
    method: "POST",
    // The catalog is the same for all users.
    credentials: "omit",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: FIND, variables: { slug: SLUG, now: new Date().toISOString() } }),
  });
  const { data } = (await response.json()) as Found;
  return data?.concert ?? data?.concerts.nodes[0] ?? null;
}
