import { useState } from "react";
import { useClient } from "urql";

import { DownloadLinks } from "./operations";

export type DownloadProblem = "offline" | "gone" | "busy" | "failed";
type Kind = "pdf" | "calendar";

export interface Download {
  download(kind: Kind): Promise<void>;
  waitsFor: Kind | null;
  problem: DownloadProblem | null;
}

/** Downloads the files of an order or of a ticket, over links that are made for each download. */
export function useDownload(id: string): Download {
  const client = useClient();
  const [waitsFor, setWaitsFor] = useState<Kind | null>(null);
  const [problem, setProblem] = useState<DownloadProblem | null>(null);

  async function download(kind: Kind): Promise<void> {
    if (waitsFor) return;
    setWaitsFor(kind);
    setProblem(null);
    try {
      const link = await makeLink(kind);
      if (typeof link !== "string") setProblem(link.problem);
      // A phone offers to add a calendar file to its calendar only if it opens the file itself.
      else if (kind === "calendar") location.assign(link);
      else setProblem(await save(link));
    } catch {
      setProblem(navigator.onLine ? "failed" : "offline");
    } finally {
      setWaitsFor(null);
    }
  }

  async function makeLink(kind: Kind): Promise<string | { problem: DownloadProblem }> {
    const { data, error } = await client.query(DownloadLinks, { id }, { requestPolicy: "network-only" }).toPromise();
    const found = data?.node && "document" in data.node ? data.node.document : null;
    if (found) return sameOrigin(kind === "pdf" ? found.pdfUrl : found.calendarUrl);
    if (!error) return { problem: "gone" };
    return { problem: error.networkError ? "offline" : "failed" };
  }

  return { download, waitsFor, problem };
}

/** The shop may have another address than the public one, for example on the machine that runs it. */
function sameOrigin(url: string): string {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

/** Saves a file. An answer without the file becomes a problem, instead of a page full of JSON. */
async function save(link: string): Promise<DownloadProblem | null> {
  const response = await fetch(link, { credentials: "omit", cache: "no-store" });
  if (response.status === 410) return "gone";
  if (response.status === 503) return "busy";
  if (!response.ok) return "failed";
  const url = URL.createObjectURL(await response.blob());
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = fileName(response);
  anchor.click();
  // Browsers read the file after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return null;
}

function fileName(response: Response): string {
  return /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "tickets.pdf";
}
