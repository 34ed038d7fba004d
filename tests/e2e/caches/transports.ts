// Delays an answer and repeats a push, as a bad network and a restarted server may do.

/** Makes the next answer arrive late. Resolves once it has been read, to a function that lets it arrive. */
export function delayNextAnswer(): Promise<() => void> {
  const direct = window.fetch;
  return new Promise((resolve) => {
    window.fetch = async (...request) => {
      window.fetch = direct;
      const response = await direct(...request);
      const body = await response.text();
      await new Promise<void>((arrive) => resolve(arrive));
      return new Response(body, response);
    };
  });
}

const pushes: { socket: RecordingSocket; text: string }[] = [];

class RecordingSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    this.addEventListener('message', ({ data }) => {
      if (JSON.parse(data).type === 'next') pushes.push({ socket: this, text: data });
    });
  }
}

export function recordPushes(): void {
  window.WebSocket = RecordingSocket;
}

/** Delivers the first push of a subscription field again. */
export function repeatFirstPush(field: string): void {
  const found = pushes.find(({ text }) => JSON.parse(text).payload.data?.[field]);
  if (!found) throw new Error(`${field} has not pushed anything`);
  found.socket.dispatchEvent(new MessageEvent('message', { data: found.text }));
}
