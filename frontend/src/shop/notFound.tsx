import type { ReactNode } from "react";

import { LinkButton } from "../components/button";
import { PageTitle } from "../components/pageTitle";
import { useT } from "../messages/i18n";

export function NotFound(): ReactNode {
  const t = useT();
  return (
    <div className="page page-narrow">
      <PageTitle>{t("notFound.title")}</PageTitle>
      <p className="lead">{t("notFound.text")}</p>
      <p>
        <LinkButton href="/">{t("notFound.action")}</LinkButton>
      </p>
    </div>
  );
}
