"""Sends mutations for one concert, and counts the refusals."""

from dataclasses import dataclass

from bench.clients.catalog import SaleConcert
from bench.clients.http_client import Client, Denied, JsonObject
from bench.clients.ledger import Ledger, Step

REFUSAL = "... on DomainError { code message retryable retryAfterSeconds }"


@dataclass(frozen=True, slots=True)
class RefusedMutation:
    code: str
    """The code of a typed refusal or of a top-level error."""
    message: str


class MutationClient:
    """Sends mutations. `token` is a person's access token, or None for a person who is not signed
    in.
    """

    def __init__(self, client: Client, ledger: Ledger, concert: SaleConcert) -> None:
        self._client = client
        self.ledger = ledger
        self._concert_id = concert.id

    async def _mutate(
        self, step: Step, document: str, input_: JsonObject, token: str | None
    ) -> JsonObject | RefusedMutation:
        answer = await self._client.ask(step, document, {"input": input_}, token)
        if isinstance(answer, Denied):
            refused = RefusedMutation(answer.code, answer.message)
        elif "code" in answer:
            refused = RefusedMutation(answer["code"], answer["message"])
        else:
            return answer
        self.ledger.refused[refused.code] += 1
        return refused
