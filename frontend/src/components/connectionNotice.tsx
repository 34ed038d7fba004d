import { useEffect, useState, type ReactNode } from "react";

import { useConnection } from "../api/connection";
import { useT } from "../messages/i18n";
import { useAnnounce } from "./announce";

/** Shorter interruptions are not worth a notice: a socket reconnects after each new login. */
const LASTING_MS = 1_500;

/** Says that the page is not live: the device is offline, or the server cannot be reached. */
export function ConnectionNotice(): ReactNode {
  const connection = useConnection();
  const t = useT();
  const announce = useAnnounce();
  const isLasting = useLasting(connection !== "online");
  const text = isLasting ? t(connection === "offline" ? "connection.offline" : "connection.reconnecting") : "";
  useEffect(() => {
    if (text) announce(text);
  }, [text, announce]);
  return text && <p className="connection-notice">{text}</p>;
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
