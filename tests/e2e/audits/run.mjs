// Runs all audits against the given URL and prints [{id, name, status, reason}] as JSON.
import { serverAudits } from 'graphql-http';

const [url] = process.argv.slice(2);
const results = [];
for (const { id, name, fn } of serverAudits({ url })) {
  const { status, reason } = await fn();
  results.push({ id, name, status, reason });
}
console.log(JSON.stringify(results));
