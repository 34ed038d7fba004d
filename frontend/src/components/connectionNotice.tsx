import { useEffect, type ReactNode } from "react";

import { useConnection } from "../api/connection";
import { useT } from "../messages/i18n";
import { useAnnounce } from "./announce";

/** Says that the page is not live: the device is offline, or the server cannot be reached. */
export function ConnectionNotice(): ReactNode {
  const connection = useConnection();
  const t = useT();
  const announce = useAnnounce();
  const text = connection === "online" ? "" : t(connection === "offline" ? "connection.offline" : "connection.reconnecting");
  useEffect(() => {
    if (text) announce(text);
  }, [text, announce]);
  return text && <p className="connection-notice">{text}</p>;
}
