/** What a screen reader says while a person waits: little, and never each step of the queue. */

import { useEffect, useRef } from "react";

import { useAnnounce } from "../../components/announce";
import { useFormat } from "../../messages/format";
import { useT } from "./messages";
import { isWorthTelling, QUIET_MS, type Told } from "./telling";
import type { Queue } from "./useQueue";

export function useQueueAnnouncements(queue: Queue): void {
  const t = useT();
  const format = useFormat();
  const announce = useAnnounce();
  const position = queue.concert?.myQueueEntry?.position ?? null;
  useTellingPosition(position, position === null ? "" : t("waiting.announce", { position: format.number(position) }));

  const paused = queue.live?.roomStatus === "PAUSED" ? `${t("paused.title")} ${t("paused.text")}` : "";
  useEffect(() => {
    if (paused) announce(paused);
  }, [paused, announce]);

  const message = queue.live?.message ? `${t("message.label")}: ${queue.live.message}` : "";
  useEffect(() => {
    if (message) announce(message);
  }, [message, announce]);
}

function useTellingPosition(position: number | null, words: string): void {
  const announce = useAnnounce();
  const told = useRef<Told | null>(null);
  useEffect(() => {
    if (position === null || told.current?.position === position) return undefined;
    const tell = (): void => {
      told.current = { position, at: performance.now() };
      announce(words);
    };
    const now = performance.now();
    if (isWorthTelling(told.current, position, now)) {
      tell();
      return undefined;
    }
    // The last position of a burst is told once the quiet time is over.
    const timer = setTimeout(tell, QUIET_MS - (now - (told.current?.at ?? now)));
    return () => {
      clearTimeout(timer);
    };
  }, [position, words, announce]);
}
