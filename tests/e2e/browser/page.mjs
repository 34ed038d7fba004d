// Uses GraphiQL's page as a person does: opens it, signs in, runs a tab, and reads the result.

export class Page {
  static async open(context, url) {
    const page = new Page();
    page.tab = await context.newPage();
    await page.tab.goto(`${url}/graphql`);
    await page.untilLoaded();
    return page;
  }

  async untilLoaded() {
    await this.tab.locator('.graphiql-query-editor .view-line').first().waitFor();
  }

  async signInAs(name) {
    await this.tab.getByRole('button', { name, exact: true }).click();
    return this.signedIn();
  }

  async signInAtTheIssuer(name) {
    await this.tab.getByRole('link', { name: 'login page' }).click();
    await this.fillInLogin(name);
    const signedInAs = await this.signedIn();
    await this.untilLoaded();
    return signedInAs;
  }

  async fillInLogin(name) {
    await this.tab.getByLabel('Name').fill(name);
    await this.tab.getByLabel('Password').fill(name);
    await this.tab.getByRole('button', { name: 'Sign in' }).click();
  }

  // Returns the tokens and cookies that a script of the page could read.
  async secretsInReach() {
    const text = await this.tab.evaluate(
      () => JSON.stringify(sessionStorage) + JSON.stringify(localStorage) + document.cookie,
    );
    return text.match(/ey[\w-]+\.ey[\w-]+|onsale-session/g) ?? [];
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

  // Runs a tab and returns the response from the network, because the editor shows only part of it.
  async run(title) {
    await this.openTab(title);
    const response = this.tab.waitForResponse(
      (candidate) => candidate.request().postData()?.includes(`"operationName":"${title}"`),
    );
    await this.start();
    return (await response).json();
  }

  async start() {
    await this.tab.locator('.graphiql-execute-button').click();
  }

  // Runs an operation as another program of the same person would, unnoticed by the page.
  async runElsewhere(document, token = null) {
    const answer = await this.tab.evaluate(
      async ([query, given]) => {
        const accessToken = given ?? JSON.parse(sessionStorage.getItem('onsale.session')).accessToken;
        const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${accessToken}` };
        return (await fetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query }) })).json();
      },
      [document, token],
    );
    if (answer.errors) throw new Error(`${document} was answered with ${JSON.stringify(answer.errors)}`);
    return answer.data;
  }

  // Advances the page's clock, which the context has installed. The server answers between the
  // steps, so timers started by an answer fire too. A query does not make the page subscribe again.
  async passHalfAMinute() {
    for (let step = 0; step < 3; step += 1) {
      await this.tab.clock.fastForward(10_000);
      await this.run('Me');
    }
  }

  // Waits until the result pane shows all of `texts`; Monaco draws spaces as no-break spaces.
  async untilResultShows(...texts) {
    await this.tab.waitForFunction((wanted) => {
      const shown = document.querySelector('.result-window')?.textContent?.replaceAll('\u00a0', ' ') ?? '';
      return wanted.every((text) => shown.includes(text));
    }, texts);
  }

  async result() {
    return this.tab.locator('.result-window').textContent();
  }

  // Returns the number in the first field with this name in the result, which is the first tier's.
  async firstNumber(field) {
    const text = await this.tab.locator('.result-window').textContent();
    return Number(new RegExp(`"${field}":\\s(\\d+)`).exec(text)[1]);
  }

  // Waits until the live line above the editor contains `text`.
  async untilLiveLineShows(text) {
    await this.tab.locator('.onsale-live', { hasText: text }).waitFor();
  }
}
