// All stories, by name.
import { checks } from './checks.mjs';

export const stories = { ...checks };
