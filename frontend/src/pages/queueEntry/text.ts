/** The texts of the waiting room. */

import { texts } from "../../messages/i18n";

type Texts = typeof import("./messages/en.json");

export const useText = texts<Texts>(import.meta.glob("./messages/*.json"));
export type Text = ReturnType<typeof useText>;
