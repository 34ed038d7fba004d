// People visit another site while they are signed in.
import { createServer } from 'node:http';

import { Page } from '../page.mjs';

// Runs in a page of another site: tries to use the session of the person who visits it.
async function attack(url) {
  const query = '{ me { name } }';
  const send = async (address, init) => {
    try {
      return (await fetch(address, { credentials: 'include', ...init })).status;
    } catch {
      return 'blocked';
    }
  };
  const json = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ query }) };
  const text = { ...json, headers: { 'Content-Type': 'text/plain' } };
  const socket = await new Promise((resolve) => {
    const opened = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    opened.onopen = () => opened.send('{"type":"connection_init"}');
    opened.onclose = () => resolve('blocked');
    opened.onmessage = ({ data }) => {
      const { type, payload } = JSON.parse(data);
      if (type === 'next') resolve(payload.data);
      else opened.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
    };
  });
  return {
    post: await send(`${url}/graphql`, json),
    text: await send(`${url}/graphql`, text),
    get: await send(`${url}/graphql?query=${encodeURIComponent(query)}`, {}),
    logout: await send(`${url}/logout`, { method: 'POST' }),
    socket,
  };
}

export const otherSites = {
  // A page of another site, even on the same machine, cannot use the session of the browser.
  async visitingAnotherSite(browser, url) {
    const person = await browser.openPerson();
    const page = await Page.open(person, url);
    await page.signInAtTheIssuer('carol');
    const other = await person.newPage();
    const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>Hello'));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    const tried = {};
    for (const [name, host] of Object.entries({ crossSite: '127.0.0.1', sameSite: 'localhost' })) {
      await other.goto(`http://${host}:${port}/`);
      tried[name] = await other.evaluate(attack, url);
    }
    server.close();
    server.closeAllConnections();
    const me = (await page.run('Me')).data.me.name;
    browser.dropErrors('');
    return { tried, me };
  },
};
