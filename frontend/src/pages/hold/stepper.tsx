/** A number of tickets, by buttons, by arrow keys and by typing. */

import { useState, type ReactNode } from "react";

import { useFormat } from "../../messages/format";
import { clamped, stepped, type Bounds } from "./choice";
import { useT } from "./messages";

export interface StepperProps {
  /** What is counted. */
  name: string;
  quantity: number;
  bounds: Bounds;
  /** The id of the element that explains the limits. */
  hintId: string | undefined;
  onChange: (quantity: number) => void;
  /** The person wants more than is allowed. */
  onLimit: () => void;
}

const KEYS: Readonly<Record<string, 1 | -1>> = { ArrowUp: 1, ArrowDown: -1 };

export function Stepper({ name, quantity, bounds, hintId, onChange, onLimit }: StepperProps): ReactNode {
  const t = useT();
  const { number } = useFormat();
  /** What is being typed; null shows the quantity. */
  const [typed, setTyped] = useState<string | null>(null);
  const canGrow = stepped(quantity, 1, bounds) !== quantity;

  function step(by: 1 | -1): void {
    setTyped(null);
    const next = stepped(quantity, by, bounds);
    if (next !== quantity) onChange(next);
    else if (by > 0) onLimit();
  }

  function finish(): void {
    if (typed === null) return;
    const wanted = numberIn(typed);
    const allowed = clamped(wanted, bounds);
    setTyped(null);
    if (allowed !== quantity) onChange(allowed);
    if (wanted > allowed) onLimit();
  }

  // The buttons stay enabled at a limit: a disabled button loses the focus and cannot say why.
  return (
    <div className="stepper" role="group" aria-label={t("quantity.group", { tier: name })}>
      <button
        type="button"
        className="stepper-button"
        aria-label={t("quantity.fewer", { tier: name })}
        aria-disabled={quantity === 0}
        onClick={() => step(-1)}
      >
        <span aria-hidden="true">−</span>
      </button>
      <input
        className="stepper-input tabular"
        type="text"
        inputMode="numeric"
        autoComplete="off"
        role="spinbutton"
        aria-label={t("quantity.label", { tier: name })}
        aria-valuenow={quantity}
        aria-valuemin={0}
        aria-valuemax={bounds.max}
        aria-valuetext={number(quantity)}
        aria-describedby={hintId}
        value={typed ?? number(quantity)}
        onFocus={(event) => event.target.select()}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={finish}
        onKeyDown={(event) => {
          const by = KEYS[event.key];
          if (by) {
            event.preventDefault();
            step(by);
          } else if (event.key === "Enter") finish();
        }}
      />
      <button
        type="button"
        className="stepper-button"
        aria-label={t("quantity.more", { tier: name })}
        aria-disabled={!canGrow}
        onClick={() => step(1)}
      >
        <span aria-hidden="true">+</span>
      </button>
    </div>
  );
}

const ARABIC_ZERO = 0x0660;

/** The number in a text with Western or Arabic digits; 0 if there is none. */
function numberIn(text: string): number {
  const western = text.replace(/[\u0660-\u0669]/gu, (digit) => String(digit.charCodeAt(0) - ARABIC_ZERO));
  return Number.parseInt(western.replace(/[^\d-]/gu, ""), 10) || 0;
}
