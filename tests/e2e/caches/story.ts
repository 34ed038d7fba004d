// A whole purchase beside the subscriptions of a shop's page, told the same way to each client.
import type { Data, Name, Open, Shop } from './shop';
import { delayNextAnswer, recordPushes, repeatFirstPush } from './transports';
import { View } from './views';

export type Cast = { concertId: string; buyer: string; organizer: string };
type Report = {
  viewer: string;
  steps: Record<string, Data>;
  pushes: Record<string, number>;
  faults: string[];
  compared: number;
};

const PATIENCE_MS = 60_000;
const settled = () => new Promise((resolve) => setTimeout(resolve, 30));

async function until(what: string, isSo: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await settled();
  }
  await settled();
}

class Page {
  readonly pushes: Record<string, number> = {};
  readonly #checks: Promise<void>[] = [];

  /** Subscribes, and compares each push with the views once they had time to show it. */
  follow(shop: Shop, name: Name, variables: Data, ...views: View[]): void {
    shop.subscribe(name, variables, (data) => {
      const [field] = Object.keys(data).filter((key) => key !== '__typename');
      this.pushes[field!] = (this.pushes[field!] ?? 0) + 1;
      this.#checks.push(settled().then(() => views.forEach((view) => view.compare(data))));
    });
  }

  async checked(): Promise<void> {
    await settled();
    await Promise.all(this.#checks);
  }
}

export async function buy(open: Open, { concertId, buyer, organizer }: Cast): Promise<Report> {
  recordPushes();
  const [shop, office] = [open(buyer), open(organizer)];
  const [page, desk, receipt] = [new View('page'), new View('desk'), new View('receipt')];
  const steps: Record<string, Data> = {};
  const live = new Page();
  const id = { id: concertId };
  const input = (more: object = {}) => ({ input: { concertId, ...more } });
  const key = () => crypto.randomUUID();
  const concert = () => page.data.concert;
  const numbers = () => {
    const [tier] = concert().tiers;
    const [inStock] = concert().stock.tiers;
    return [tier.available, tier.held, tier.sold, inStock.available, inStock.held, inStock.sold];
  };

  shop.watch('shopPageQuery', id, page.show);
  office.watch('shopRoomQuery', id, desk.show);
  await until('the pages', () => page.data && desk.data);
  live.follow(shop, 'shopStockSubscription', id, page);
  live.follow(shop, 'shopPositionSubscription', id, page);
  live.follow(shop, 'shopHoldSubscription', id, page);
  live.follow(office, 'shopRoomSubscription', id, desk);
  await until('the first pushes', () => ['stockChanged', 'waitingRoomChanged'].every((field) => live.pushes[field]));
  steps.before = { entry: concert().myQueueEntry, numbers: numbers() };

  accepted(await shop.mutate('shopJoinMutation', input()));
  await until('the entry', () => concert().myQueueEntry?.state === 'WAITING');
  accepted(await office.mutate('shopCallMutation', input({ count: 1, idempotencyKey: key() })));
  await until('the call', () => concert().myQueueEntry?.state === 'READY');
  await until('the taken slot', () => desk.data.concert.waitingRoom.slotsTaken === 1);
  accepted(await shop.mutate('shopClaimMutation', input()));
  await until('the pass', () => concert().myQueueEntry.pass?.status === 'CREATED');
  steps.admitted = { entry: concert().myQueueEntry.state, slots: desk.data.concert.waitingRoom.slotsTaken };

  const lateState = delayNextAnswer();
  const stateBeforeHold = shop.query('shopPageQuery', id);
  const arriveBeforeHold = await lateState;
  const [tier] = concert().tiers;
  const order = { lines: [{ tierId: tier.id, quantity: 2 }], queuePass: concert().myQueueEntry.pass.token };
  accepted(await shop.mutate('shopHoldMutation', input({ ...order, idempotencyKey: key() })));
  await until('the hold in the stock', () => concert().stock.tiers[0].held === 2);
  steps.held = { hold: concert().myHold.state, numbers: numbers() };
  arriveBeforeHold();
  await stateBeforeHold;
  await settled();
  steps.afterALateAnswer = { hold: concert().myHold?.state, numbers: numbers() };

  const lateHold = delayNextAnswer();
  const stateBeforePurchase = shop.query('shopStateQuery', id);
  const arriveBeforePurchase = await lateHold;
  const customer = { customerName: 'Alice', customerEmail: 'alice@onsale.example', idempotencyKey: key() };
  const bought = await shop.mutate('shopBuyMutation', { input: { what: { holdId: concert().myHold.id }, ...customer } });
  const orderId = accepted(bought).order.id;
  shop.watch('shopOrderQuery', { id: orderId }, receipt.show);
  await until('the receipt', () => receipt.data);
  live.follow(shop, 'shopOrderSubscription', { id: orderId }, receipt);
  await until('the sale in the stock', () => concert().stock.tiers[0].sold === 2);
  await until('the end of the entry', () => concert().myQueueEntry.state === 'COMPLETED');
  await until('the push of the order', () => live.pushes.orderUpdated! > 0);
  await until('the free slot', () => desk.data.concert.waitingRoom.slotsTaken === 0);
  const atTheEnd = () => ({
    order: receipt.data.order.status,
    hold: concert().myHold.state,
    entry: concert().myQueueEntry.state,
    numbers: numbers(),
    slots: desk.data.concert.waitingRoom.slotsTaken,
  });
  steps.sold = atTheEnd();
  arriveBeforePurchase();
  await stateBeforePurchase;
  await settled();
  steps.afterASecondLateAnswer = atTheEnd();

  for (const field of ['stockChanged', 'queuePosition', 'holdChanged', 'waitingRoomChanged']) repeatFirstPush(field);
  await live.checked();
  steps.afterOldPushes = atTheEnd();
  const views = [page, desk, receipt];
  return {
    viewer: page.data.viewer.name,
    steps,
    pushes: live.pushes,
    faults: views.flatMap(({ faults }) => faults),
    compared: views.reduce((sum, { compared }) => sum + compared, 0),
  };
}

function accepted(data: Data): Data {
  const [result] = Object.values(data).filter((value) => typeof value === 'object') as Data[];
  if (result.code) throw new Error(`${result.code}: ${result.message}`);
  return result;
}
