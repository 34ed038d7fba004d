import { useEffect, useRef, type ReactNode } from "react";

let isFirstPage = true;

export interface PageTitleProps {
  children: string;
  /** The title of the document, if it differs from the heading. */
  documentTitle?: string;
  isHidden?: boolean;
}

/** The heading of a page. After a navigation it has the focus, so that a screen reader reads it. */
export function PageTitle({ children, documentTitle, isHidden }: PageTitleProps): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  const title = documentTitle ?? children;
  useEffect(() => {
    document.title = `${title} · Onsale`;
  }, [title]);
  useEffect(() => {
    if (!isFirstPage) heading.current?.focus({ preventScroll: true });
    isFirstPage = false;
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1} className={isHidden ? "visually-hidden" : undefined}>
      <bdi>{children}</bdi>
    </h1>
  );
}
