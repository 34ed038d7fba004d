import type { ReactNode } from "react";

import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { useT } from "./text";
import { useDownload, type DownloadProblem } from "./useDownload";

const PROBLEMS = {
  offline: "download.offline",
  gone: "download.gone",
  busy: "download.busy",
  failed: "download.failed",
} as const satisfies Record<DownloadProblem, string>;

export interface DownloadsProps {
  /** The id of an order or of a ticket. */
  id: string;
  isOrder?: boolean;
  /** What screen readers hear instead of "PDF", because a page has several of these buttons. */
  pdfLabel?: string;
}

/** The PDF and the calendar file. */
export function Downloads({ id, isOrder = false, pdfLabel }: DownloadsProps): ReactNode {
  const t = useT();
  const { download, waitsFor, problem } = useDownload(id);
  return (
    <div className="downloads">
      <Button
        variant="secondary"
        isPending={waitsFor === "pdf"}
        onPress={() => download("pdf")}
        {...(pdfLabel ? { "aria-label": pdfLabel } : {})}
      >
        {t(isOrder ? "download.pdfOrder" : "download.pdf")}
      </Button>
      {isOrder && (
        <Button variant="quiet" isPending={waitsFor === "calendar"} onPress={() => download("calendar")}>
          {t("download.calendar")}
        </Button>
      )}
      {problem && (
        <div role="alert" className="downloads-problem">
          <Notice tone="danger">{t(PROBLEMS[problem])}</Notice>
        </div>
      )}
    </div>
  );
}
