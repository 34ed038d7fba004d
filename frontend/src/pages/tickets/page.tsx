import "./page.css";

import type { ReactNode } from "react";

import { PageTitle } from "../../components/pageTitle";

export default function TicketsPage(): ReactNode {
  return (
    <div className="page">
      <PageTitle>tickets</PageTitle>
      <p>tickets</p>
    </div>
  );
}
