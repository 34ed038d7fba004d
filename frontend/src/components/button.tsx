/** Buttons, and links that look like buttons. */

import type { ReactNode } from "react";
import { Button as AriaButton, type ButtonProps as AriaProps } from "react-aria-components/Button";
import { Link } from "wouter";

import { Spinner } from "./spinner";

export type ButtonVariant = "primary" | "secondary" | "quiet" | "danger";

export interface ButtonProps extends Omit<AriaProps, "className" | "style" | "children"> {
  variant?: ButtonVariant;
  /** The full width of its container. */
  isWide?: boolean;
  className?: string;
  children: ReactNode;
}

/**
 * A pending button keeps its focus and its name, and ignores presses. React Aria's own pending state
 * is not used: it announces the button by an element that refers to it, even after it is gone.
 */
export function Button(props: ButtonProps): ReactNode {
  const { variant = "primary", isWide, isPending = false, className, children, ...rest } = props;
  const pending = isPending ? ({ onPress: () => undefined, type: "button", "aria-disabled": true } as const) : {};
  return (
    <AriaButton {...rest} {...pending} className={classes(variant, isWide, className)} data-pending={isPending || undefined}>
      {isPending && <Spinner />}
      <span className="button-label">{children}</span>
    </AriaButton>
  );
}

export interface LinkButtonProps {
  href: string;
  variant?: ButtonVariant;
  isWide?: boolean;
  className?: string;
  /** Loads a new document, which pages with another content security policy need. */
  isDocument?: boolean;
  children: ReactNode;
}

export function LinkButton(props: LinkButtonProps): ReactNode {
  const { href, variant = "primary", isWide, className, isDocument, children } = props;
  const Anchor = isDocument ? "a" : Link;
  return (
    <Anchor href={href} className={classes(variant, isWide, className)}>
      <span className="button-label">{children}</span>
    </Anchor>
  );
}

function classes(variant: ButtonVariant, isWide: boolean | undefined, more: string | undefined): string {
  return ["button", `button-${variant}`, isWide && "button-wide", more].filter(Boolean).join(" ");
}
