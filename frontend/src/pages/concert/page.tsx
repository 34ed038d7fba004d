import "./page.css";

import type { ReactNode } from "react";

import { PageTitle } from "../../components/pageTitle";

export default function ConcertPage({ slug }: { slug: string }): ReactNode {
  return (
    <div className="page">
      <PageTitle>concert</PageTitle>
      <p>{slug}</p>
    </div>
  );
}
