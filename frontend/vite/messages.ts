/** Compiles the texts of the pages (ICU MessageFormat, in `messages/*.json`) when the pages are built. */

import { compileMessage } from "@lingui/message-utils/compileMessage";
import type { Plugin } from "vite";

const MESSAGES = /\/src\/(?:.*\/)?messages\/(?:\w+\/)?[a-z]{2}\.json$/;

export function compiledMessages(): Plugin {
  return {
    name: "compiled-messages",
    enforce: "pre",
    transform(source, id) {
      if (!MESSAGES.test(id)) return null;
      const compiled: Record<string, unknown> = {};
      for (const [key, message] of Object.entries(JSON.parse(source) as Record<string, string>)) {
        compiled[key] = compileMessage(message);
      }
      return { code: JSON.stringify(compiled), map: null };
    },
  };
}
