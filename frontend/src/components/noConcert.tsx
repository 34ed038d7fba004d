/** In the place of a page about a concert that is loading, could not be loaded, or does not exist. */

import type { ReactNode } from "react";

import type { Problem } from "../api/outcome";
import { useT } from "../messages/i18n";
import { useRefusal } from "../messages/refusals";
import { Button, LinkButton } from "./button";
import { Notice } from "./notice";
import { PageTitle } from "./pageTitle";
import { Skeleton } from "./skeleton";

interface NoConcertProps {
  /** The class of the page. */
  className: string;
  isLoading: boolean;
  problem: Problem | null;
  failedTitle: string;
  onRetry(): void;
}

export function NoConcert({ className, isLoading, problem, failedTitle, onRetry }: NoConcertProps): ReactNode {
  const t = useT();
  const refusal = useRefusal();
  if (isLoading) {
    return (
      <div className={`page ${className}`}>
        <Skeleton lines={8} />
      </div>
    );
  }
  return (
    <div className={`page ${className}`}>
      <PageTitle>{problem ? failedTitle : t("missing.title")}</PageTitle>
      <Notice
        tone={problem ? "warning" : "info"}
        actions={
          <>
            {problem && <Button onPress={onRetry}>{t("tryAgain")}</Button>}
            <LinkButton href="/" variant="secondary">
              {t("notFound.action")}
            </LinkButton>
          </>
        }
      >
        {problem ? refusal(problem) : t("missing.text")}
      </Notice>
    </div>
  );
}
