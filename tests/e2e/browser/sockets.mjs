// Records what a page sends over its WebSockets: how often it subscribed to each field, and which
// subscriptions are running.
// The record is kept in the page, so a count read after a timer has fired includes the messages
// that the timer sent.

// Call this before the first page is opened. A reload begins a new record.
export async function recordSockets(context) {
  await context.addInitScript(() => {
    const sockets = [];
    window.WebSocket = class extends WebSocket {
      operations = new Map();

      constructor(...address) {
        super(...address);
        sockets.push(this);
        this.addEventListener('message', ({ data }) => this.#endIfOver(JSON.parse(data)));
      }

      send(text) {
        const message = JSON.parse(text);
        if (message.type === 'subscribe') {
          const field = /\{\s*(\w+)/.exec(message.payload.query)[1];
          this.operations.set(message.id, { field, isRunning: true });
        }
        this.#endIfOver(message);
        super.send(text);
      }

      #endIfOver({ type, id }) {
        if (type === 'complete' || type === 'error') this.operations.get(id).isRunning = false;
      }
    };
    window.closeSockets = () => sockets.forEach((socket) => socket.close());
    window.countSubscribes = (field) =>
      sockets.flatMap(({ operations }) => [...operations.values()]).filter((one) => one.field === field).length;
    window.runningFields = () =>
      sockets
        .filter(({ readyState }) => readyState === WebSocket.OPEN)
        .flatMap(({ operations }) => [...operations.values()])
        .filter(({ isRunning }) => isRunning)
        .map(({ field }) => field)
        .sort();
  });
}

export async function countSubscribes(page, field) {
  return page.tab.evaluate((name) => window.countSubscribes(name), field);
}

export async function runningFields(page) {
  return page.tab.evaluate(() => window.runningFields());
}

export async function untilOnlyTheseRun(page, ...fields) {
  const wanted = fields.sort().join();
  try {
    await page.tab.waitForFunction((names) => window.runningFields().join() === names, wanted);
  } catch (error) {
    throw new Error(`Only ${wanted} should run, but ${await runningFields(page)} are running`, { cause: error });
  }
}
