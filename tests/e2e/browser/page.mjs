// GraphiQL's page as a person uses it: open, sign in, run a tab, read what came back.

export class Page {
  static async open(context, url) {
    const page = new Page();
    page.tab = await context.newPage();
    await page.tab.goto(`${url}/graphql`);
    await page.shown();
    return page;
  }

  async shown() {
    await this.tab.locator('.graphiql-query-editor .view-line').first().waitFor();
  }

  async signInAs(name) {
    await this.tab.getByRole('button', { name, exact: true }).click();
    return this.signedIn();
  }

  async signInOnThePageOfTheIssuer(name) {
    await this.tab.getByRole('link', { name: 'login page' }).click();
    await this.tab.getByLabel('Name').fill(name);
    await this.tab.getByLabel('Password').fill(name);
    await this.tab.getByRole('button', { name: 'Sign in' }).click();
    const words = await this.signedIn();
    await this.shown();
    return words;
  }

  async signOut() {
    await this.tab.getByRole('button', { name: 'Sign out' }).click();
    await this.tab.getByRole('button', { name: 'alice' }).waitFor();
  }

  async signedIn() {
    return this.tab.locator('#signed-in').textContent();
  }

  async openTab(title) {
    await this.tab.locator('.graphiql-tab-button', { hasText: new RegExp(`^${title}$`) }).click();
  }

  // The answer of one run, read from the wire, which says more than the part of an editor that is on the screen.
  async run(title) {
    await this.openTab(title);
    const answered = this.tab.waitForResponse(
      (response) => response.request().postData()?.includes(`"operationName":"${title}"`),
    );
    await this.start();
    return (await answered).json();
  }

  async start() {
    await this.tab.locator('.graphiql-execute-button').click();
  }

  // Runs a mutation as another program of the same person would: the page does not learn of it.
  async runElsewhere(mutation) {
    const answer = await this.tab.evaluate(async (query) => {
      const { accessToken } = JSON.parse(sessionStorage.getItem('onsale.session'));
      const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${accessToken}` };
      return (await fetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query }) })).json();
    }, mutation);
    if (answer.errors) throw new Error(`${mutation} was answered with ${JSON.stringify(answer.errors)}`);
    return answer.data;
  }

  // Moves the page's clock on, which the context has installed. Between the steps the server answers, so that a timer
  // that was started by an answer fires too. A query is no reason to subscribe again.
  async passHalfAMinute() {
    for (let step = 0; step < 3; step += 1) {
      await this.tab.clock.fastForward(10_000);
      await this.run('Me');
    }
  }

  // Waits until the result pane shows every one of `words`; Monaco draws spaces as no-break spaces.
  async shows(...words) {
    await this.tab.waitForFunction((wanted) => {
      const shown = document.querySelector('.result-window')?.textContent?.replaceAll('\u00a0', ' ') ?? '';
      return wanted.every((word) => shown.includes(word));
    }, words);
  }

  async result() {
    return this.tab.locator('.result-window').textContent();
  }

  // Of the first tier that the result shows.
  async firstNumber(field) {
    const text = await this.tab.locator('.result-window').textContent();
    return Number(new RegExp(`"${field}":\\s(\\d+)`).exec(text)[1]);
  }

  async lineSays(words) {
    await this.tab.locator('.onsale-live', { hasText: words }).waitFor();
  }
}
