import type { ReactNode } from "react";

/** Turns while something is on its way. The text beside it says what. */
export function Spinner(): ReactNode {
  return <span className="spinner" aria-hidden="true" />;
}
