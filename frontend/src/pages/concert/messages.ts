import { texts } from "../../messages/i18n";

export const useT = texts<typeof import("./messages/en.json")>(import.meta.glob("./messages/*.json"));
