import "./page.css";

import type { ReactNode } from "react";

import { PageTitle } from "../../components/pageTitle";

export default function TicketTransferPage(): ReactNode {
  return (
    <div className="page">
      <PageTitle>ticketTransfer</PageTitle>
      <p>ticketTransfer</p>
    </div>
  );
}
