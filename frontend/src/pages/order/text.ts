import { texts } from "../../messages/i18n";

type Texts = typeof import("./messages/en.json");

export const useT = texts<Texts>(import.meta.glob("./messages/*.json"));
