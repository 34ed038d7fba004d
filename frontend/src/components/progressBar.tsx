import { useId, type ReactNode } from "react";

export interface ProgressBarProps {
  label: string;
  /** From 0 to 1; null while the progress is unknown. */
  value: number | null;
  /** The progress in words, beside the label. */
  valueText?: string;
}

export function ProgressBar({ label, value, valueText }: ProgressBarProps): ReactNode {
  const id = useId();
  return (
    <div className="progress">
      <p className="progress-words">
        <label htmlFor={id}>{label}</label>
        {valueText && <span className="tabular">{valueText}</span>}
      </p>
      <progress
        id={id}
        className="progress-bar"
        max={1}
        aria-valuetext={valueText}
        {...(value === null ? {} : { value })}
      />
    </div>
  );
}
