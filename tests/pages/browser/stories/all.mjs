// All stories, by name.
import { checks } from './checks.mjs';
import { journeys } from './journeys.mjs';
import { mistakes } from './mistakes.mjs';
import { organizers } from './organizers.mjs';
import { outages } from './outages.mjs';
import { queue } from './queue.mjs';

export const stories = { ...checks, ...journeys, ...mistakes, ...organizers, ...outages, ...queue };
