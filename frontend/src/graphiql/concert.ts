/** The concert that the example tabs are about: the demo's with a waiting room, or else the first that is on sale. */

export interface DemoConcert {
  id: string;
  name: string;
  tiers: { id: string; name: string }[];
}

/** The one that deploy/demo/concerts.json puts a waiting room in front of. */
const SLUG = "lantern-ferry-royal-albert-hall";

const FIND = `query FindConcert($slug: String!, $now: DateTime!) {
  concert(slug: $slug) { ...Shown }
  concerts(first: 1, filter: { onSaleAt: $now }) { nodes { ...Shown } }
}
fragment Shown on Concert { id name tiers { id name } }`;

interface Found {
  data?: { concert: DemoConcert | null; concerts: { nodes: DemoConcert[] } } | null;
}

/** Null while nothing is for sale, or the catalogue is away: the page works without. */
export async function findDemoConcert(): Promise<DemoConcert | null> {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: FIND, variables: { slug: SLUG, now: new Date().toISOString() } }),
  });
  const { data } = (await response.json()) as Found;
  return data?.concert ?? data?.concerts.nodes[0] ?? null;
}
