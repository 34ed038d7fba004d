import "./page.css";

import type { ReactNode } from "react";

import { PageTitle } from "../../components/pageTitle";

export default function QueueEntryPage({ slug }: { slug: string }): ReactNode {
  return (
    <div className="page">
      <PageTitle>queueEntry</PageTitle>
      <p>{slug}</p>
    </div>
  );
}
