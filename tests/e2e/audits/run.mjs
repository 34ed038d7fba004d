// Runs every audit against the address given and prints [{id, name, status, reason}] as JSON.
import { serverAudits } from 'graphql-http';

const [url] = process.argv.slice(2);
const verdicts = [];
for (const { id, name, fn } of serverAudits({ url })) {
  const { status, reason } = await fn();
  verdicts.push({ id, name, status, reason });
}
console.log(JSON.stringify(verdicts));
