import "./page.css";

import type { ReactNode } from "react";

import { PageTitle } from "../../components/pageTitle";

export default function HoldPage({ slug }: { slug: string }): ReactNode {
  return (
    <div className="page">
      <PageTitle>hold</PageTitle>
      <p>{slug}</p>
    </div>
  );
}
