"""Fuzzes the HTTP endpoint with documents that Schemathesis generates from the schema.

Schemathesis chooses fields, arguments and variables at random, valid or not. Every answer must be a
GraphQL response without an internal error; no server error except 503 is allowed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.graphql import nodes

SDL = Path(__file__).parents[2] / "schema" / "schema.graphql"
# A SafeInt has 53 bits; larger numbers must be refused.
schemathesis.graphql.scalar("SafeInt", st.integers(-(2**60), 2**60).map(nodes.Int))


class WrongAnswer(AssertionError):
    """Raised if the server gives an answer that is wrong for any document."""


def fuzz_documents(url: str, *, examples: int, tokens: Sequence[str | None]) -> int:
    """Send generated documents, using the tokens in turn, and return how many were sent.

    Raises WrongAnswer, with the shortest document that causes it.
    """
    sent = 0
    with httpx2.Client(base_url=url, timeout=60, trust_env=False) as http:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(schemathesis.graphql.from_path(SDL).as_strategy())
        def send(case: "Case[Any]") -> None:
            nonlocal sent
            token = tokens[sent % len(tokens)]
            sent += 1
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            check_answer(http.post("/graphql", json={"query": case.body}, headers=headers), str(case.body))

        send()
    return sent


def check_answer(answer: httpx2.Response, document: str) -> None:
    """Raise WrongAnswer unless the answer is a GraphQL response without a server error.

    Status 503 is allowed.
    """
    if answer.status_code >= 500 and answer.status_code != 503:
        raise WrongAnswer(f"HTTP {answer.status_code} for {document!r}: {answer.text[:500]}")
    try:
        payload = answer.json()
    except ValueError:
        raise WrongAnswer(f"no JSON for {document!r}: {answer.text[:500]}") from None
    codes = [error.get("extensions", {}).get("code") for error in payload.get("errors", [])]
    if "INTERNAL" in codes or not {"data", "errors"} & set(payload):
        raise WrongAnswer(f"{payload} for {document!r}")
