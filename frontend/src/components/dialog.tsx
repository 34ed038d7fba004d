import { useEffect, useId, useRef, type ReactNode } from "react";

import { useT } from "../messages/i18n";
import { Button } from "./button";

export interface DialogProps {
  isOpen: boolean;
  /** Called when the person leaves the dialog without an answer, also with Escape. */
  onClose(): void;
  title: string;
  children: ReactNode;
  /** The buttons. Without them, the dialog has one that closes it. */
  actions?: ReactNode;
}

/** The browser's own modal dialog: it keeps the focus inside, and gives it back at the end. */
export function Dialog({ isOpen, onClose, title, children, actions }: DialogProps): ReactNode {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const t = useT();
  useEffect(() => {
    if (isOpen) element.current?.showModal();
    else element.current?.close();
  }, [isOpen]);
  return (
    <dialog
      ref={element}
      className="dialog"
      aria-labelledby={titleId}
      onClose={() => isOpen && onClose()}
      onClick={(event) => event.target === element.current && onClose()}
    >
      {isOpen && (
        <div className="dialog-content">
          <h2 id={titleId}>{title}</h2>
          {children}
          <div className="dialog-actions">
            {actions ?? (
              <Button variant="secondary" onPress={onClose}>
                {t("close")}
              </Button>
            )}
          </div>
        </div>
      )}
    </dialog>
  );
}
