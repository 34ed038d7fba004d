// An organizer runs the waiting room, and people wait in it and leave it.
import { openAsBob } from '../bob.mjs';
import { Page } from '../page.mjs';
import { countSubscribes, runningFields, untilOnlyTheseRun } from '../sockets.mjs';

export const queue = {
  // An organizer runs the waiting room; a customer waits in it and follows the queue.
  async runningTheWaitingRoom(browser, url) {
    const olivia = await Page.open(await browser.openPerson(), url);
    const carol = await Page.open(await browser.openPerson(), url);
    await olivia.signInAs('olivia');
    const seen = { paused: (await olivia.run('PauseRoom')).data.pauseWaitingRoom.waitingRoom.status };
    await olivia.untilLiveLineShows('paused · 0 waiting');
    await carol.signInAs('carol');
    await carol.run('JoinQueue');
    await carol.untilLiveLineShows('position 1 of 1 · paused; you keep your place');
    await olivia.untilLiveLineShows('paused · 1 waiting');
    await browser.screenshot(carol.tab, 'paused');
    await olivia.run('ConfigureRoom');
    await carol.untilLiveLineShows('Bring an umbrella');
    seen.emptied = (await olivia.run('ResetRoom')).data.resetWaitingRoom.waitingRoom.waitingCount;
    await carol.untilLiveLineShows('you lost your place: the organizer reset the queue');
    await carol.run('JoinQueue');
    seen.called = (await olivia.run('AdmitNext')).data.admitNext.call.called;
    await carol.untilLiveLineShows('it is your turn: claim your pass before');
    seen.resumed = (await olivia.run('ResumeRoom')).data.resumeWaitingRoom.waitingRoom.status;
    await olivia.openTab('WatchTheRoom');
    await olivia.start();
    await olivia.untilResultShows('"status": "OPEN"', '"waitingCount": 0');
    await browser.screenshot(olivia.tab, 'waiting-room');
    const { nodes } = (await olivia.run('RoomAudit')).data.waitingRoom.audit;
    seen.audit = nodes.map(({ action, personName }) => `${personName} ${action}`);
    return seen;
  },

  // After an entry has ended, the page subscribes again only when the person joins again.
  async leavingTheQueue(browser, url) {
    const { page, joinElsewhere, leaveElsewhere } = await openAsBob(browser, url);
    await joinElsewhere();
    await page.tab.reload();
    await page.untilLiveLineShows('it is your turn');
    await leaveElsewhere();
    await page.untilLiveLineShows('you left the queue');
    await untilOnlyTheseRun(page, 'stockChanged');
    const seen = { whenItEnded: await countSubscribes(page, 'queuePosition') };
    await page.passHalfAMinute();
    seen.halfAMinuteLater = await countSubscribes(page, 'queuePosition');
    await page.run('JoinQueue');
    await page.untilLiveLineShows('it is your turn');
    await page.passHalfAMinute();
    seen.afterRejoining = await countSubscribes(page, 'queuePosition');
    seen.running = await runningFields(page);
    await leaveElsewhere();
    return seen;
  },
};
