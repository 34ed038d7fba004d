import { useEffect, useState, type ReactNode } from "react";

import { useConnection } from "../api/connection";
import { useT } from "../messages/i18n";
import { useAnnounce } from "./announce";
import { Button } from "./button";

/** Shorter interruptions are not worth a notice: a socket reconnects after each new login. */
const LASTING_MS = 1_500;

/**
 * Says that the page is not live: the device is offline, the server cannot be reached, or it has
 * closed the socket for good.
 */
export function ConnectionNotice(): ReactNode {
  const connection = useConnection();
  const t = useT();
  const announce = useAnnounce();
  const isLasting = useLasting(connection !== "online");
  const text = isLasting && connection !== "online" ? t(`connection.${connection}`) : "";
  useEffect(() => {
    if (text) announce(text);
  }, [text, announce]);
  if (!text) return null;
  return (
    <div className="connection-notice">
      <p>{text}</p>
      {connection === "stopped" && (
        <Button variant="quiet" onPress={() => location.reload()}>
          {t("failure.reload")}
        </Button>
      )}
    </div>
  );
}

function useLasting(isLost: boolean): boolean {
  const [isLasting, setIsLasting] = useState(false);
  useEffect(() => {
    if (!isLost) return setIsLasting(false);
    const timer = setTimeout(() => setIsLasting(true), LASTING_MS);
    return () => clearTimeout(timer);
  }, [isLost]);
  return isLost && isLasting;
}
