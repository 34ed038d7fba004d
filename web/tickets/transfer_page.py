"""The page behind the link of a transfer on a server without built pages: a person signs in there
and accepts the ticket. If the pages are built, the shop has this page.

The token is in the fragment of the URL, so it reaches no server and no log before the person
accepts. While the person signs in, the page keeps the token in this browser tab only.
"""

import base64
import hashlib

from starlette.responses import HTMLResponse

PATH = "/tickets/accept"

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif; }
main { box-sizing: border-box; width: min(32rem, 100vw - 2rem); border: 1px solid var(--line);
  border-radius: .75rem; padding: 1.5rem; }
h1 { margin: 0; font-size: 1.5rem; }
p { overflow-wrap: anywhere; }
label, input { display: block; }
input { box-sizing: border-box; width: 100%; margin: .25rem 0 1rem; padding: .5rem; font: inherit; }
button { padding: .5rem 1rem; font: inherit; }
"""
_SCRIPT = """
"use strict";
const KEY = "onsale.transfer";
const WHO = "query TransferViewer { me { name email } }";
const ACCEPT = `mutation AcceptTransfer($input: AcceptTicketTransferInput!) {
  acceptTicketTransfer(input: $input) {
    ... on AcceptTicketTransferSuccess { ticket { holderName document { pdfUrl } } }
    ... on DomainError { message }
    ... on InvalidInputError { problems { message } }
  }
}`;
const byId = (id) => document.getElementById(id);
const show = (text) => { byId("status").textContent = text; };

async function ask(query, variables) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

async function accept(token, name) {
  const input = { token, holderName: name };
  const result = (await ask(ACCEPT, { input })).acceptTicketTransfer;
  if (!result.ticket) {
    show(result.problems ? result.problems.map((problem) => `Your name ${problem.message}.`).join(" ")
      : result.message);
    return;
  }
  sessionStorage.removeItem(KEY);
  byId("form").hidden = true;
  show(`The ticket is yours, in the name of ${result.ticket.holderName}. It is now among your tickets.`);
  const { document: file } = result.ticket;
  byId("download").hidden = !file;
  if (file) byId("pdf").href = file.pdfUrl;
}

async function start() {
  if (location.hash.length > 1) {
    sessionStorage.setItem(KEY, location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
  const token = sessionStorage.getItem(KEY);
  if (!token) return show("This URL is not a ticket link. Open the link in your email again.");
  const { me } = await ask(WHO);
  if (!me) {
    byId("sign-in").hidden = false;
    return show("A ticket was sent to you. Sign in to accept it.");
  }
  show(`You are signed in as ${me.name}${me.email ? ` (${me.email})` : ""}.`);
  byId("name").value = me.name;
  byId("form").hidden = false;
}

const failed = (error) => show(`That did not work: ${error.message} Load this page again.`);
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("button").disabled = true;
  accept(sessionStorage.getItem(KEY), byId("name").value).catch(failed)
    .finally(() => { byId("button").disabled = false; });
});
addEventListener("hashchange", () => { if (location.hash) start().catch(failed); });
start().catch(failed);
"""


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Accept a ticket - Onsale</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Accept a ticket</h1>
<p id="status" role="status">One moment …</p>
<p id="sign-in" hidden><a href="/login?return={PATH}">Sign in</a> with the email address to which the link was sent.</p>
<form id="form" hidden>
<label for="name">Name on the ticket</label>
<input id="name" maxlength="200" autocomplete="name" required>
<button id="button">Accept the ticket</button>
</form>
<p id="download" hidden><a id="pdf">Download the ticket</a> (PDF). The link works for five minutes.</p>
<noscript><p>This page needs JavaScript.</p></noscript>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_source(_STYLE)}; script-src {_source(_SCRIPT)}; connect-src 'self';"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def build_page() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers=_HEADERS)
