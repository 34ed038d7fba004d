/** The answer that the server has put into the document, so that the first page needs no request. */

import { createRequest, ssrExchange, type Exchange } from "urql";

import { documentOf } from "./document";
import { learn } from "./serverClock";

interface FirstAnswer {
  /** The SHA-256 of the document, as in dist/trusted-documents.json. */
  hash: string;
  variables: Record<string, unknown>;
  data: unknown;
  /** The time of the answer, in RFC 3339. */
  serverTime: string;
}

/** Returns an exchange that answers the first query from the document, if it contains its answer. */
export function firstAnswerExchange(): Exchange {
  const ssr = ssrExchange({ isClient: true });
  const element = document.getElementById("first-answer");
  if (!element?.textContent) return ssr;
  const { hash, variables, data, serverTime } = JSON.parse(element.textContent) as FirstAnswer;
  // Another person's cache must not begin with this answer.
  element.remove();
  learn(Date.parse(serverTime), 0, performance.now(), 1);
  const node = documentOf(hash);
  if (node) ssr.restoreData({ [createRequest(node, variables).key]: { data: JSON.stringify(data) } });
  return ssr;
}
