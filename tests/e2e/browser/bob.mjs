// Opens GraphiQL's page as Bob, who also uses other programs.
import { Page } from './page.mjs';
import { recordSockets } from './sockets.mjs';

export const FIND_CONCERT = '{ concert(by: {slug: "lantern-ferry-royal-albert-hall"}) { id } }';

// Opens a page as Bob. Its clock can be advanced, and its sockets are recorded.
export async function openAsBob(browser, url) {
  const person = await browser.openPerson();
  await recordSockets(person);
  await person.clock.install();
  const page = await Page.open(person, url);
  await page.signInAs('bob');
  const { id } = (await page.runElsewhere(FIND_CONCERT)).concert;
  const mutation = (verb) => `mutation { ${verb}(input: { concertId: "${id}" }) { __typename } }`;
  return {
    page,
    joinElsewhere: () => page.runElsewhere(mutation('joinQueue')),
    leaveElsewhere: () => page.runElsewhere(mutation('leaveQueue')),
  };
}
