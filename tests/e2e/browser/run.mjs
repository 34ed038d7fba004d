// Runs the stories of GraphiQL's page. node run.mjs <url of Onsale> <Chromium>
import { runStories } from './driver.mjs';
import { stories } from './stories/all.mjs';

await runStories(stories, process.argv.slice(2));
