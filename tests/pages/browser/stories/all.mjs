// All stories, by name.
import { checks } from './checks.mjs';
import { journeys } from './journeys.mjs';

export const stories = { ...checks, ...journeys };
