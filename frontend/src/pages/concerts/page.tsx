import "./page.css";

import type { ReactNode } from "react";

import { PageTitle } from "../../components/pageTitle";

export default function ConcertsPage(): ReactNode {
  return (
    <div className="page">
      <PageTitle>concerts</PageTitle>
      <p>concerts</p>
    </div>
  );
}
