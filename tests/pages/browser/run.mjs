// Runs the stories of buyers. node run.mjs <url of Onsale> <Chromium>
import { runStories } from '../../e2e/browser/driver.mjs';
import { stories } from './stories/all.mjs';

await runStories(stories, process.argv.slice(2));
