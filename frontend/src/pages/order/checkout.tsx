import "./page.css";

import type { ReactNode } from "react";

import { PageTitle } from "../../components/pageTitle";

export default function CheckoutPage({ id }: { id: string }): ReactNode {
  return (
    <div className="page">
      <PageTitle>order</PageTitle>
      <p>{id}</p>
    </div>
  );
}
