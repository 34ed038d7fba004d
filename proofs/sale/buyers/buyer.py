"""Simulates the behavior of one buyer, and checks every answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bench.clients.catalog import LIMIT_PER_ORDER, LIMIT_PER_PERSON
from bench.clients.checkout import DECLINED_CARD, GOOD_CARD
from bench.clients.ledger import Receipt, TicketLine
from bench.clients.mutations import RefusedMutation
from bench.clients.queue_client import QueuePass
from bench.clients.shop import Held, Shop, TierView
from bench.clients.tokens import forge
from proofs.sale.buyers.people import BuyerBehavior, Person, QueueBehavior
from proofs.sale.buyers.queue_behavior import QueueSession, is_valid
from proofs.sale.buyers.stock_poller import StockPoller

WITHOUT_IDENTITY = frozenset({BuyerBehavior.HAS_NO_TOKEN, BuyerBehavior.FORGES_TOKEN})
ROUNDING_S = 1.5
"""The tolerance for the expiry of a pass: its remaining time is reported in whole seconds."""

NO_LONGER_AVAILABLE = frozenset({"SOLD_OUT", "HOLD_ENDED"})
"""Legitimate refusals: another person got there first, or the hold expired during an outage."""


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
        if self._person.queue_behavior is QueueBehavior.CHEATS and self._person.buyer_behavior not in WITHOUT_IDENTITY:
            await self._try_invalid_passes()
        await self._action()()
        self._ledger.done += 1

    def _action(self) -> Callable[[], Awaitable[object]]:
        actions: dict[BuyerBehavior, Callable[[], Awaitable[object]]] = {
            BuyerBehavior.BUYS: self._hold_and_buy,
            BuyerBehavior.BUYS_AT_ONCE: self._buy_at_once,
            BuyerBehavior.WAVERS: self._waver,
            BuyerBehavior.GIVES_UP: self._give_up,
            BuyerBehavior.VANISHES: self._hold,
            BuyerBehavior.ASKS_FOR_TOO_MUCH: self._ask_for_too_much,
            BuyerBehavior.REPEATS: self._repeat,
            BuyerBehavior.IS_DECLINED: self._hold_and_buy,
            BuyerBehavior.NEVER_PAYS: self._hold_and_never_pay,
            BuyerBehavior.REUSES_KEY: self._reuse_key,
            BuyerBehavior.HAS_NO_TOKEN: self._hold_without_token,
            BuyerBehavior.FORGES_TOKEN: self._hold_with_forged_token,
        }
        return actions[self._person.buyer_behavior]

    async def _hold_and_buy(self) -> Receipt | None:
        while held := await self._hold():
            await self._think()
            if receipt := await self._buy(held):
                return receipt
        return None

    async def _hold_and_never_pay(self) -> None:
        while held := await self._hold():
            name, token = self._person.name, self._token
            refused = await self._shop.buy_without_paying(held.hold_id, self._new_key(), buyer=name, token=token)
            if refused is None:
                return
            self._expect(refused, NO_LONGER_AVAILABLE, "a purchase")

    async def _buy_at_once(self) -> None:
        while (lines := await self._choose()) and self._pass:
            name, token, queue_pass = self._person.name, self._token, self._pass.token
            answer = await self._shop.buy_at_once(
                lines, self._new_key(), buyer=name, token=token, queue_pass=queue_pass
            )
            if isinstance(answer, Receipt):
                return await self._drop_spent_pass()
            if not await self._should_try_again(answer, "a purchase without a hold"):
                return None
        return None

    async def _waver(self) -> None:
        await self._hold_and_release()
        await self._think()
        await self._hold_and_buy()

    async def _give_up(self) -> None:
        await self._hold_and_release()
        if self._pass:
            await self._queue_session.return_pass()

    async def _hold_and_release(self) -> None:
        if held := await self._hold():
            await self._think()
            refused = await self._shop.release(held.hold_id, token=self._token)
            if refused is not None:
                self._expect(refused, NO_LONGER_AVAILABLE, "the release of a hold")

    async def _ask_for_too_much(self) -> None:
        if lines := await self._choose():
            too_many = [TicketLine(lines[0].tier_id, LIMIT_PER_ORDER + 1)]
            await self._expect_refusal(too_many, {"LIMIT_EXCEEDED"}, "a hold beyond the limit per order")
        while held := await self._hold():
            if sum(line.quantity for line in held.lines) + LIMIT_PER_ORDER > LIMIT_PER_PERSON:
                more = [TicketLine(held.lines[0].tier_id, LIMIT_PER_ORDER)]
                await self._expect_refusal(more, {"LIMIT_EXCEEDED"}, "a hold beyond the limit per person")
            if await self._buy(held):
                return

    async def _repeat(self) -> None:
        """Send each request twice at the same time, possibly to two servers.

        The result must be a single hold and a single order.
        """
        while lines := await self._choose():
            key = self._new_key()
            twins = await asyncio.gather(*(self._send_hold(lines, key) for _ in range(2)))
            held = next((answer for answer in twins if isinstance(answer, Held)), None)
            if held is None:
                await self._should_try_again(twins[0], "a hold")
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
                self._expect(answer, NO_LONGER_AVAILABLE, "a purchase")
        if receipts and (len(receipts) > 1 or any(isinstance(answer, RefusedMutation) for answer in twins)):
            self._surprise(f"one key gave two answers: {twins}")
        if receipts:
            await self._drop_spent_pass()
        return bool(receipts)

    async def _reuse_key(self) -> None:
        while lines := await self._choose():
            key = self._new_key()
            held = await self._send_hold(lines, key)
            if isinstance(held, RefusedMutation):
                await self._should_try_again(held, "a hold")
                continue
            other = [TicketLine(lines[0].tier_id, lines[0].quantity % LIMIT_PER_ORDER + 1)]
            again = await self._send_hold(other, key)
            self._expect(again, {"IDEMPOTENCY_CONFLICT"}, "a reused key with different input")
            if await self._buy(held):
                return

    async def _hold_without_token(self) -> None:
        await self._expect_unauthenticated(None, "a hold without a token")

    async def _hold_with_forged_token(self) -> None:
        await self._expect_unauthenticated(forge(self._token), "a hold with a forged token")

    async def _expect_unauthenticated(self, token: str | None, what: str) -> None:
        answer = await self._shop.hold(self._wanted_lines(), self._new_key(), token=token, queue_pass=None)
        self._expect(answer, {"UNAUTHENTICATED"}, what)

    async def _try_invalid_passes(self) -> None:
        await self._expect_not_admitted(None, "a hold without a pass")
        await self._expect_not_admitted(self._token, "a hold with an access token instead of a pass")
        if stolen := self._queue_session.find_stolen_pass():
            await self._expect_not_admitted(stolen, "a hold with a stolen pass")

    async def _expect_not_admitted(self, queue_pass: str | None, what: str) -> None:
        key = self._new_key()
        answer = await self._shop.hold(self._wanted_lines(), key, token=self._token, queue_pass=queue_pass)
        self._expect(answer, {"NOT_ADMITTED"}, what)

    def _wanted_lines(self) -> list[TicketLine]:
        return [TicketLine(self._shop.tier_ids[self._person.favorite], self._person.wish)]

    async def _has_pass(self) -> bool:
        """Get a pass from the queue unless the person has a valid one.

        Returns False if the person gets no pass or every ticket is sold.
        """
        if self._pass and is_valid(self._pass):
            return True
        self._pass = await self._queue_session.get_pass()
        if self._pass and self._person.queue_behavior is QueueBehavior.CHEATS:
            await self._expect_not_admitted(forge(self._pass.token), "a hold with a forged pass")
        return self._pass is not None

    async def _drop_spent_pass(self) -> None:
        """Drop the pass after a purchase, because it is valid for only one purchase."""
        if self._pass and self._person.queue_behavior is QueueBehavior.CHEATS:
            await self._expect_not_admitted(self._pass.token, "a hold with a spent pass")
        self._pass = None

    async def _choose(self) -> list[TicketLine] | None:
        """Wait for available tickets, and return the lines that best match the wish.

        Returns None if the person gets no pass or every ticket is sold.
        """
        while await self._has_pass():
            tiers = await self._shop.read_stock()
            if tiers and (lines := choose_lines(self._person, tiers)):
                return lines
            if not await self._stock_poller.wait_for_tickets():
                return None
        return None

    async def _send_hold(self, lines: Sequence[TicketLine], key: str) -> Held | RefusedMutation:
        queue_pass = self._pass.token if self._pass else None
        return await self._shop.hold(lines, key, token=self._token, queue_pass=queue_pass)

    async def _hold(self) -> Held | None:
        while lines := await self._choose():
            answer = await self._send_hold(lines, self._new_key())
            if isinstance(answer, Held):
                return answer
            await self._should_try_again(answer, "a hold")
        return None

    async def _buy(self, held: Held) -> Receipt | None:
        """Buy the hold and return the receipt, or None if the hold has ended."""
        is_declined = self._person.buyer_behavior is BuyerBehavior.IS_DECLINED
        cards = (DECLINED_CARD, GOOD_CARD) if is_declined else (GOOD_CARD,)
        answer = await self._shop.buy(
            held.hold_id, self._new_key(), buyer=self._person.name, token=self._token, cards=cards
        )
        if isinstance(answer, Receipt):
            await self._drop_spent_pass()
            return answer
        self._expect(answer, NO_LONGER_AVAILABLE, "a purchase")
        return None

    async def _should_try_again(self, answer: Held | RefusedMutation, what: str) -> bool:
        """Return whether to try again after a refusal.

        If another person got there first, this waits for released tickets and returns False if
        every ticket is sold. If the pass has expired, the next attempt will join the queue again.
        """
        if self._has_lost_pass(answer):
            return True
        self._expect(answer, NO_LONGER_AVAILABLE, what)
        return await self._stock_poller.wait_for_tickets()

    async def _expect_refusal(self, lines: Sequence[TicketLine], codes: set[str], what: str) -> None:
        answer = await self._send_hold(lines, self._new_key())
        if not self._has_lost_pass(answer):
            self._expect(answer, codes, what)

    def _has_lost_pass(self, answer: Held | RefusedMutation) -> bool:
        """Return whether the pass expired during the request.

        If the pass should still have been valid, the refusal is recorded as a surprise.
        """
        if not isinstance(answer, RefusedMutation) or answer.code != "NOT_ADMITTED":
            return False
        if self._pass and is_valid(self._pass, for_s=ROUNDING_S):
            self._surprise(f"a valid pass was refused: {answer}")
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


def choose_lines(person: Person, tiers: Sequence[TierView]) -> list[TicketLine]:
    """Return lines for the favorite tier, or for another one if the favorite is sold out.

    The quantities are limited to the available tickets. A person who wants two tiers requests both
    at the same time.
    """
    ordered = [tiers[(person.favorite + step) % len(tiers)] for step in range(len(tiers))]
    open_ = [tier for tier in ordered if tier.available]
    if not open_:
        return []
    if person.takes_two_tiers and person.wish > 1 and len(open_) > 1:
        return [TicketLine(open_[0].id, 1), TicketLine(open_[1].id, min(person.wish - 1, open_[1].available))]
    return [TicketLine(open_[0].id, min(person.wish, open_[0].available))]
