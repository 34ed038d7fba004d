"""Reads the mailbox page of a server in development."""

import re

import httpx2

from tests.support.waiting import wait_until


async def find_transfer_link(client: httpx2.AsyncClient, *, to: str) -> str:
    """Return the newest link to a ticket that was sent to this address, once it is there."""
    links: list[str] = []

    async def is_there() -> bool:
        listed = (await client.get("/dev/mailbox")).text
        for mail in re.findall(r'href="(/dev/mailbox/\w+)"', listed):
            page = (await client.get(mail)).text
            if to in page:
                links.extend(re.findall(r'href="([^"]+/tickets/accept#[^"]+)"', page))
        return bool(links)

    await wait_until(is_there, what="the mail with the link")
    return links[0]
