/** The page's design for the Payment Element, which lives in a frame of Stripe's. */

import type { Appearance } from "./stripe";

/** The element does not know all notations of CSS, so colors are converted to RGB. */
export function readAppearance(): Appearance {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => rgb(style.getPropertyValue(name));
  return {
    theme: document.documentElement.dataset.theme === "dark" ? "night" : "stripe",
    variables: {
      colorPrimary: color("--accent"),
      colorBackground: color("--surface"),
      colorText: color("--ink"),
      colorTextSecondary: color("--ink-soft"),
      colorDanger: color("--danger"),
      borderRadius: style.getPropertyValue("--radius-small").trim(),
      fontFamily: style.getPropertyValue("--font").trim(),
      fontSizeBase: "16px",
      spacingUnit: "5px",
    },
  };
}

function rgb(color: string): string {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  if (!context) return color;
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

/** Calls the listener when the theme of the page changes. */
export function onThemeChange(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => observer.disconnect();
}
