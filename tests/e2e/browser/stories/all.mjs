// Stories of people who use GraphiQL's page, by name. Each returns its observations, which the test
// checks.
import { faults } from './faults.mjs';
import { otherSites } from './otherSites.mjs';
import { queue } from './queue.mjs';
import { sessions } from './sessions.mjs';
import { tickets } from './tickets.mjs';
import { tokens } from './tokens.mjs';

export const stories = { ...faults, ...otherSites, ...queue, ...sessions, ...tickets, ...tokens };
