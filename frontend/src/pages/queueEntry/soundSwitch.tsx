/** Whether the call makes a sound in this browser. It does not, unless the person wants it. */

import { useEffect, useState, type ReactNode } from "react";

import { Checkbox } from "../../components/checkbox";
import { allowSound, chooseSound, isSoundChosen, playChime } from "./chime";
import { useT } from "./messages";

export function SoundSwitch(): ReactNode {
  const t = useT();
  const [isOn, setOn] = useState(isSoundChosen);
  useEffect(() => {
    // After a reload, browsers stay silent until the person has touched the page once.
    if (!isOn) return undefined;
    const allow = (): void => void allowSound();
    addEventListener("pointerdown", allow, { once: true });
    addEventListener("keydown", allow, { once: true });
    return () => {
      removeEventListener("pointerdown", allow);
      removeEventListener("keydown", allow);
    };
  }, [isOn]);

  async function change(wanted: boolean): Promise<void> {
    setOn(wanted);
    chooseSound(wanted);
    if (wanted && (await allowSound())) playChime(); // the person hears what will be heard
  }

  return (
    <Checkbox isSelected={isOn} onChange={(wanted) => void change(wanted)}>
      {t("sound.label")}
    </Checkbox>
  );
}
