import type { ReactNode } from "react";

export type Tone = "info" | "success" | "warning" | "danger";

export interface NoticeProps {
  tone?: Tone;
  title?: ReactNode;
  children?: ReactNode;
  /** Buttons: what the person can do next. */
  actions?: ReactNode;
}

/** A message in the flow of the page. Announce it with `useAnnounce` if it appears by itself. */
export function Notice({ tone = "info", title, children, actions }: NoticeProps): ReactNode {
  return (
    <section className={`notice notice-${tone}`}>
      {title && <p className="notice-title">{title}</p>}
      {children && <div className="notice-text">{children}</div>}
      {actions && <div className="notice-actions">{actions}</div>}
    </section>
  );
}
