// Waits for mails in the mailbox page of a development server.

// Waits for the mail with the link of a transfer, and returns the link.
export async function linkInTheMailbox(url) {
  for (let attempt = 0; attempt < 120; attempt += 1) {
    const listed = await (await fetch(`${url}/dev/mailbox`)).text();
    for (const [, path] of listed.matchAll(/href="(\/dev\/mailbox\/\w+)"/g)) {
      const link = /href="([^"]+\/tickets\/accept#[^"]+)"/.exec(await (await fetch(url + path)).text());
      if (link) return link[1];
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('the mailbox has no mail with a link');
}

// Waits until the newest mails to a person have these subjects, newest first, and returns their paths.
export async function mailsTo(url, address, ...subjects) {
  let found = [];
  for (let attempt = 0; attempt < 120; attempt += 1) {
    const listed = await (await fetch(`${url}/dev/mailbox`)).text();
    found = [...listed.matchAll(/href="(\/dev\/mailbox\/\w+)">([^<]*)<\/a>[^<]*<br>([^<]*)/g)]
      .filter(([, , , below]) => below.includes(address))
      .slice(0, subjects.length);
    if (subjects.every((subject, index) => found[index]?.[2].startsWith(subject))) return found.map(([, path]) => path);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`the mailbox has ${found.map(([, , subject]) => subject)}; expected ${subjects}`);
}
