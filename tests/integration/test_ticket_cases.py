"""Cases 14 and 15 for tickets and their codes: real refunds and disputes, and a gate."""

import pytest

from tests.support.sandbox_shop import SandboxShop
from tests.support.shop import Answer, OnSale, lines, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKETS = "query ($id: ID!) { order(id: $id) { tickets { id state generation code } document { ticketCount } } }"
CHECK_IN = """
mutation ($input: CheckInTicketInput!) {
  checkInTicket(input: $input) { __typename ... on ScanRefusedError { reason } }
}
"""


async def read_tickets(site: SandboxShop, order: Answer) -> list[Answer]:
    found: list[Answer] = (await site.shop.fields(TICKETS, by="alice", id=order["id"]))["order"]["tickets"]
    return found


async def scan(site: SandboxShop, concert: OnSale, code: str) -> str:
    """Return the reason why the gate refuses a code, or `CheckInTicketSuccess`."""
    input_ = {"concertId": concert.id, "code": code, "deviceId": "gate", "scanId": new_key()}
    answer = (await site.shop.fields(CHECK_IN, by="olivia", input=input_))["checkInTicket"]
    return str(answer.get("reason") or answer["__typename"])


async def test_case_14_partial_refund_voids_exactly_its_codes(site: SandboxShop) -> None:
    concert = await site.on_sale()
    order = await site.buy_paid(concert, 3, 1)
    before = {ticket["id"]: ticket["code"] for ticket in await read_tickets(site, order)}
    await site.refund(order, lines=lines(concert, 1, 1))
    after = await read_tickets(site, order)
    dead = {ticket["id"] for ticket in after if ticket["state"] == "VOID"}
    assert ([ticket["code"] for ticket in after if ticket["id"] in dead], len(dead)) == ([None, None], 2)
    assert {ticket["id"]: ticket["code"] for ticket in after if ticket["id"] not in dead} == {
        id_: code for id_, code in before.items() if id_ not in dead
    }
    revocations = (await site.stored(order)).revocations
    assert [revocation.generation for revocation in revocations] == [1, 1]
    for id_, code in before.items():
        assert await scan(site, concert, code) == ("TICKET_VOID" if id_ in dead else "CheckInTicketSuccess")


@pytest.mark.parametrize(
    ("outcome", "state", "old_code"), [("lost", "VOID", "TICKET_VOID"), ("won", "VALID", "REPLACED")]
)
async def test_case_15_dispute_suspends_the_codes_until_it_is_decided(
    site: SandboxShop, outcome: str, state: str, old_code: str
) -> None:
    concert = await site.on_sale()
    order = await site.buy_paid(concert, 2)
    codes = [ticket["code"] for ticket in await read_tickets(site, order)]
    intent_id = await site.intent_id(order)
    dispute = await site.sandbox.dispute(intent_id)
    await site.applied(await site.event("charge.dispute.created", intent_id))
    assert {(ticket["state"], ticket["code"]) for ticket in await read_tickets(site, order)} == {("SUSPENDED", None)}
    assert {await scan(site, concert, code) for code in codes} == {"TICKET_SUSPENDED"}
    await site.sandbox.close_dispute(dispute["id"], outcome)
    await site.applied(await site.event("charge.dispute.closed", intent_id))
    after = await read_tickets(site, order)
    assert {ticket["state"] for ticket in after} == {state}
    assert {await scan(site, concert, code) for code in codes} == {old_code}
    new_codes = [ticket["code"] for ticket in after if ticket["code"]]
    assert (len(new_codes), set(new_codes) & set(codes)) == (2 if outcome == "won" else 0, set())
    assert {await scan(site, concert, code) for code in new_codes} <= {"CheckInTicketSuccess"}
