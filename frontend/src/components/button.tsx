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

/** A pending button keeps its focus and its name, and ignores presses. */
export function Button({ variant = "primary", isWide, className, children, ...props }: ButtonProps): ReactNode {
  return (
    <AriaButton {...props} className={classes(variant, isWide, className)}>
      {props.isPending && <Spinner />}
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
