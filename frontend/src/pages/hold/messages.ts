/** The texts of the page on which tickets are chosen, held and bought. */

import { texts } from "../../messages/i18n";

type Texts = typeof import("./messages/en.json");

export const useT = texts<Texts>(import.meta.glob("./messages/*.json"));
export type Translate = ReturnType<typeof useT>;
