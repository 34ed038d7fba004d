/** State that a reload, a sign-in and the back button keep, in this tab. */

import { useCallback, useState } from "react";

type Change<Value> = (change: (before: Value) => Value) => void;

export function useKept<Value>(key: string, initial: Value): [Value, Change<Value>] {
  const [value, setValue] = useState<Value>(() => read(key) ?? initial);
  const change = useCallback<Change<Value>>(
    (next) => {
      setValue((before) => {
        const after = next(before);
        sessionStorage.setItem(key, JSON.stringify(after));
        return after;
      });
    },
    [key],
  );
  return [value, change];
}

function read<Value>(key: string): Value | null {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null") as Value | null;
  } catch {
    return null;
  }
}
