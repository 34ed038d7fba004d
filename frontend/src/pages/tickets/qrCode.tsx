import { useEffect, useState, type ReactNode } from "react";

import { Dialog } from "../../components/dialog";
import { useT } from "./text";

export interface QrCodeProps {
  /** The image that the server made: an SVG with its quiet zone. */
  svg: string;
  label: string;
}

/** A code on white, in dark pages too, because scanners need the contrast. Pressing it enlarges it. */
export function QrCode({ svg, label }: QrCodeProps): ReactNode {
  const t = useT();
  const [isLarge, setIsLarge] = useState(false);
  const source = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return (
    <>
      <button type="button" className="qr-code" onClick={() => setIsLarge(true)} title={t("ticket.enlarge")}>
        <img src={source} alt={label} width="240" height="240" />
      </button>
      <Dialog isOpen={isLarge} onClose={() => setIsLarge(false)} title={t("ticket.largeTitle")}>
        <p>{t("ticket.largeText")}</p>
        <p className="qr-code qr-code-large">
          <img src={source} alt={label} width="480" height="480" />
        </p>
        <KeepAwake />
      </Dialog>
    </>
  );
}

/** Keeps the screen on, where the browser can, while the person waits at the gate. */
function KeepAwake(): ReactNode {
  useEffect(() => {
    const lock = navigator.wakeLock?.request("screen").catch(() => null);
    return () => void lock?.then((held) => held?.release());
  }, []);
  return null;
}
