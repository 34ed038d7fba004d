// All stories, by name.
import { accessibility } from './accessibility.mjs';
import { checks } from './checks.mjs';
import { journeys } from './journeys.mjs';
import { mistakes } from './mistakes.mjs';
import { organizers } from './organizers.mjs';
import { outages } from './outages.mjs';
import { queue } from './queue.mjs';
import { screenshots } from './screenshots.mjs';
import { stripe } from './stripe.mjs';

export const stories = {
  ...accessibility,
  ...checks,
  ...journeys,
  ...mistakes,
  ...organizers,
  ...outages,
  ...queue,
  ...screenshots,
  ...stripe,
};
