"""The visit of one person to the sale, and the answers that this person must never receive."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bench.sale.catalog import LIMIT_PER_ORDER, LIMIT_PER_PERSON
from bench.sale.ledger import Receipt, TicketLine
from bench.sale.mutations import RefusedMutation
from bench.sale.people import BuyerBehavior, Person, QueueBehavior
from bench.sale.queue_behavior import QueueSession, is_good
from bench.sale.queue_client import QueuePass
from bench.sale.shop import Held, Shop, TierView
from bench.sale.stock_poller import StockPoller
from bench.sale.tokens import forged

STRANGERS = frozenset({BuyerBehavior.HAS_NO_TOKEN, BuyerBehavior.FORGES_TOKEN})
ROUNDING_S = 1.5
"""The remaining time of a pass has whole seconds, and the answer took some time."""

GONE = frozenset({"SOLD_OUT", "HOLD_ENDED"})
"""Legitimate refusals: another person was faster, or the hold expired while a server was away."""


class Buyer:
    def __init__(
        self, person: Person, token: str, *, queue_session: QueueSession, shop: Shop, stock_poller: StockPoller
    ) -> None:
        self._person = person
        self._token = token
        self._queue_session = queue_session
        self._shop = shop
        self._stock_poller = stock_poller
        self._ledger = shop.ledger
        self._pass: QueuePass | None = None
        self._keys = 0

    async def run(self) -> None:
        await asyncio.sleep(self._person.arrives_after_s)
        self._ledger.arrived += 1
        if self._person.queue_behavior is QueueBehavior.PUSHES_IN and self._person.buyer_behavior not in STRANGERS:
            await self._come_without_pass()
        await self._visit_of()()
        self._ledger.left += 1

    def _visit_of(self) -> Callable[[], Awaitable[object]]:
        visits: dict[BuyerBehavior, Callable[[], Awaitable[object]]] = {
            BuyerBehavior.BUYS: self._hold_and_buy,
            BuyerBehavior.BUYS_AT_ONCE: self._buy_at_once,
            BuyerBehavior.WAVERS: self._waver,
            BuyerBehavior.GIVES_UP: self._give_up,
            BuyerBehavior.VANISHES: self._hold,
            BuyerBehavior.ASKS_TOO_MUCH: self._ask_too_much,
            BuyerBehavior.REPEATS: self._repeat,
            BuyerBehavior.REUSES_KEY: self._reuse_key,
            BuyerBehavior.HAS_NO_TOKEN: self._come_without_token,
            BuyerBehavior.FORGES_TOKEN: self._come_with_forged_token,
        }
        return visits[self._person.buyer_behavior]

    async def _hold_and_buy(self) -> Receipt | None:
        while held := await self._hold():
            await self._think()
            if receipt := await self._buy(held):
                return receipt
        return None

    async def _buy_at_once(self) -> None:
        while (lines := await self._choose()) and self._pass:
            name, token, queue_pass = self._person.name, self._token, self._pass.token
            answer = await self._shop.buy_at_once(
                lines, self._new_key(), buyer=name, token=token, queue_pass=queue_pass
            )
            if isinstance(answer, Receipt):
                return await self._spent()
            if not await self._comes_back(answer, "a purchase at once"):
                return None
        return None

    async def _waver(self) -> None:
        await self._change_mind()
        await self._think()
        await self._hold_and_buy()

    async def _give_up(self) -> None:
        await self._change_mind()
        if self._pass:
            await self._queue_session.leave()

    async def _change_mind(self) -> None:
        if held := await self._hold():
            await self._think()
            refused = await self._shop.release(held.hold_id, token=self._token)
            if refused is not None:
                self._expect(refused, GONE, "a release of an own hold")

    async def _ask_too_much(self) -> None:
        if lines := await self._choose():
            greedy = [TicketLine(lines[0].tier_id, LIMIT_PER_ORDER + 1)]
            await self._must_refuse(greedy, {"LIMIT_EXCEEDED"}, "a hold beyond the limit per order")
        while held := await self._hold():
            if sum(line.quantity for line in held.lines) + LIMIT_PER_ORDER > LIMIT_PER_PERSON:
                more = [TicketLine(held.lines[0].tier_id, LIMIT_PER_ORDER)]
                await self._must_refuse(more, {"LIMIT_EXCEEDED"}, "a hold beyond the limit per person")
            if await self._buy(held):
                return

    async def _repeat(self) -> None:
        """Send every request twice, at the same time and possibly to two servers:
        one hold, one order.
        """
        while lines := await self._choose():
            key = self._new_key()
            twins = await asyncio.gather(*(self._take(lines, key) for _ in range(2)))
            held = next((answer for answer in twins if isinstance(answer, Held)), None)
            if held is None:
                await self._comes_back(twins[0], "a hold")
                continue
            if {answer.hold_id for answer in twins if isinstance(answer, Held)} != {held.hold_id}:
                self._surprise(f"one key gave two holds: {twins}")
            if await self._buy_twice(held):
                return

    async def _buy_twice(self, held: Held) -> bool:
        key = self._new_key()
        name, token = self._person.name, self._token
        twins = await asyncio.gather(*(self._shop.buy(held.hold_id, key, buyer=name, token=token) for _ in range(2)))
        receipts = {answer for answer in twins if isinstance(answer, Receipt)}
        for answer in twins:
            if isinstance(answer, RefusedMutation):
                self._expect(answer, GONE, "a purchase")
        if receipts and (len(receipts) > 1 or any(isinstance(answer, RefusedMutation) for answer in twins)):
            self._surprise(f"one key gave two answers: {twins}")
        if receipts:
            await self._spent()
        return bool(receipts)

    async def _reuse_key(self) -> None:
        while lines := await self._choose():
            key = self._new_key()
            held = await self._take(lines, key)
            if isinstance(held, RefusedMutation):
                await self._comes_back(held, "a hold")
                continue
            other = [TicketLine(lines[0].tier_id, lines[0].quantity % LIMIT_PER_ORDER + 1)]
            again = await self._take(other, key)
            self._expect(again, {"IDEMPOTENCY_CONFLICT"}, "a used key with other contents")
            if await self._buy(held):
                return

    async def _come_without_token(self) -> None:
        await self._come_unknown(None, "a hold without a token")

    async def _come_with_forged_token(self) -> None:
        await self._come_unknown(forged(self._token), "a hold with a forged token")

    async def _come_unknown(self, token: str | None, what: str) -> None:
        answer = await self._shop.hold(self._small_wish(), self._new_key(), token=token, queue_pass=None)
        self._expect(answer, {"UNAUTHENTICATED"}, what)

    async def _come_without_pass(self) -> None:
        await self._must_not_enter(None, "a hold without a pass")
        await self._must_not_enter(self._token, "a hold with an access token for a pass")
        if stolen := self._queue_session.take_foreign_pass():
            await self._must_not_enter(stolen, "a hold with a stolen pass")

    async def _must_not_enter(self, queue_pass: str | None, what: str) -> None:
        key = self._new_key()
        answer = await self._shop.hold(self._small_wish(), key, token=self._token, queue_pass=queue_pass)
        self._expect(answer, {"NOT_ADMITTED"}, what)

    def _small_wish(self) -> list[TicketLine]:
        return [TicketLine(self._shop.tier_ids[self._person.favourite], self._person.wish)]

    async def _has_pass(self) -> bool:
        """Get a pass if needed, by way of the queue.

        Return False if this person gets no pass or nothing is left to buy.
        """
        if self._pass and is_good(self._pass):
            return True
        self._pass = await self._queue_session.get_pass()
        if self._pass and self._person.queue_behavior is QueueBehavior.PUSHES_IN:
            await self._must_not_enter(forged(self._pass.token), "a hold with a forged pass")
        return self._pass is not None

    async def _spent(self) -> None:
        """Drop the spent pass: a pass is valid for one purchase."""
        if self._pass and self._person.queue_behavior is QueueBehavior.PUSHES_IN:
            await self._must_not_enter(self._pass.token, "a hold with a spent pass")
        self._pass = None

    async def _choose(self) -> list[TicketLine] | None:
        """Poll until stock is left, and return the lines closest to the wish;
        None once all is sold.
        """
        while await self._has_pass():
            seen = await self._shop.look()
            if seen and (lines := choose(self._person, seen)):
                return lines
            if not await self._stock_poller.wait_for_tickets():
                return None
        return None

    async def _take(self, lines: Sequence[TicketLine], key: str) -> Held | RefusedMutation:
        queue_pass = self._pass.token if self._pass else None
        return await self._shop.hold(lines, key, token=self._token, queue_pass=queue_pass)

    async def _hold(self) -> Held | None:
        while lines := await self._choose():
            answer = await self._take(lines, self._new_key())
            if isinstance(answer, Held):
                return answer
            await self._comes_back(answer, "a hold")
        return None

    async def _buy(self, held: Held) -> Receipt | None:
        """Buy the hold and return the receipt;
        None if the hold is over and the person starts again.
        """
        answer = await self._shop.buy(held.hold_id, self._new_key(), buyer=self._person.name, token=self._token)
        if isinstance(answer, Receipt):
            await self._spent()
            return answer
        self._expect(answer, GONE, "a purchase")
        return None

    async def _comes_back(self, answer: Held | RefusedMutation, what: str) -> bool:
        """Return whether the person tries again after a refusal.

        If another person was faster, wait for released tickets; False once all is sold. If the
        pass is over, join the queue again.
        """
        if self._is_turned_away(answer):
            return True
        self._expect(answer, GONE, what)
        return await self._stock_poller.wait_for_tickets()

    async def _must_refuse(self, lines: Sequence[TicketLine], codes: set[str], what: str) -> None:
        answer = await self._take(lines, self._new_key())
        if not self._is_turned_away(answer):
            self._expect(answer, codes, what)

    def _is_turned_away(self, answer: Held | RefusedMutation) -> bool:
        """Return whether the pass expired during the request.

        A pass with time left must not be refused: that is recorded as a surprise.
        """
        if not isinstance(answer, RefusedMutation) or answer.code != "NOT_ADMITTED":
            return False
        if self._pass and is_good(self._pass, for_s=ROUNDING_S):
            self._surprise(f"a good pass was refused: {answer}")
        self._pass = None
        return True

    def _expect(self, answer: Held | RefusedMutation, codes: set[str] | frozenset[str], what: str) -> None:
        if not isinstance(answer, RefusedMutation) or answer.code not in codes:
            self._surprise(f"{what} was answered with {answer}, not {' or '.join(sorted(codes))}")

    def _surprise(self, text: str) -> None:
        self._ledger.surprises.append(f"{self._person.name}: {text}")

    def _new_key(self) -> str:
        self._keys += 1
        return f"{self._person.name}-{self._keys}"

    async def _think(self) -> None:
        await asyncio.sleep(self._person.thinks_s)


def choose(person: Person, seen: Sequence[TierView]) -> list[TicketLine]:
    """Return lines for the favorite tier, or else another, limited to what is left.

    A person who takes two tiers gets both in one request.
    """
    ordered = [seen[(person.favourite + step) % len(seen)] for step in range(len(seen))]
    open_ = [tier for tier in ordered if tier.available]
    if not open_:
        return []
    if person.takes_two_tiers and person.wish > 1 and len(open_) > 1:
        return [TicketLine(open_[0].id, 1), TicketLine(open_[1].id, min(person.wish - 1, open_[1].available))]
    return [TicketLine(open_[0].id, min(person.wish, open_[0].available))]
