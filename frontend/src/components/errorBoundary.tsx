import { Component, type ReactNode } from "react";

import { useT } from "../messages/i18n";
import { Button } from "./button";
import { Notice } from "./notice";

interface State {
  error: unknown;
}

/** Shows what to do if a part of the page fails, and lets the rest go on. */
export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return <Failure onRetry={() => this.setState({ error: null })} />;
  }
}

function Failure({ onRetry }: { onRetry(): void }): ReactNode {
  const t = useT();
  return (
    <div className="page">
      <Notice
        tone="danger"
        title={t("failure.title")}
        actions={
          <>
            <Button onPress={onRetry}>{t("tryAgain")}</Button>
            <Button variant="secondary" onPress={() => location.reload()}>
              {t("failure.reload")}
            </Button>
          </>
        }
      >
        {t("failure.text")}
      </Notice>
    </div>
  );
}
