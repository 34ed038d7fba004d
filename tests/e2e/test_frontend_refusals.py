"""The shop finds the sentence of an error by its code, its rule and its numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.node import installed, output_of

FRONTEND = Path(__file__).parents[2] / "frontend"
SERVER_SENTENCE = "The server's own sentence."
# Runs the page's module and its texts, compiled as the build compiles them.
PROGRAM = """
import { readFileSync } from "node:fs";
import { setupI18n } from "@lingui/core";
import { compileMessage } from "@lingui/message-utils/compileMessage";
import { transformWithEsbuild } from "vite";

const { errors, language } = JSON.parse(process.argv[1]);
const texts = JSON.parse(readFileSync(`src/messages/refusals/${language}.json`, "utf8"));
const compiled = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, compileMessage(text)]));
const i18n = setupI18n({ locale: language, messages: { [language]: compiled } });
const { code } = await transformWithEsbuild(readFileSync("src/messages/sentences.ts", "utf8"), "sentences.ts");
const { findSentence } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
const t = (key, values) => i18n._(key, values);
const sentences = errors.map((error) => findSentence(t, error, (time) => `<${time}>`));
console.log(JSON.stringify(sentences));
"""


async def find_sentences(*errors: Mapping[str, object], language: str = "en") -> list[str]:
    directory = await installed(FRONTEND, for_what="the sentences of the shop were not found")
    sent = [{"message": SERVER_SENTENCE, **error} for error in errors]
    arguments = orjson.dumps({"errors": sent, "language": language}).decode()
    printed = await output_of("node", "--input-type=module", "--eval", PROGRAM, arguments, directory=directory)
    found: list[str] = orjson.loads(printed)
    return found


CASES: list[tuple[dict[str, Any], str]] = [
    ({"code": "NOT_IN_QUEUE"}, "You are not in this queue"),
    ({"code": "HOLD_ENDED", "reason": "EXPIRED"}, "The time for these tickets has run out"),
    ({"code": "HOLD_ENDED", "holdReason": "EXPIRED"}, "The time for these tickets has run out"),
    ({"code": "HOLD_ENDED", "rule": "A_NEW_RULE"}, "Your tickets are no longer held"),
    ({"code": "SOLD_OUT", "available": 0}, "The last ticket in this category has just gone."),
    ({"code": "SOLD_OUT", "available": 1}, "Only 1 ticket is left"),
    ({"code": "SOLD_OUT", "available": 2}, "Only 2 tickets are left"),
    ({"code": "SOLD_OUT"}, "There are not enough tickets left"),
    ({"code": "LIMIT_EXCEEDED", "scope": "ORDER", "limit": 4}, "One order may have at most 4 tickets."),
    ({"code": "TIER_REFUSED", "problem": "NOT_OPEN", "opensAt": "2027-01-01T10:00:00Z"}, "<2027-01-01T10:00:00Z>"),
    ({"code": "TIER_REFUSED", "problem": "NOT_OPEN", "opensAt": None}, "has not opened yet"),
    ({"code": "RATE_LIMITED", "call": "JOIN_QUEUE", "per": "PERSON", "retryAfterSeconds": 1}, "Wait 1 second, then"),
    ({"code": "UNAVAILABLE", "retryAfterSeconds": 3, "retryable": True}, "try again in 3 seconds."),
    (
        {"code": "INVALID_INPUT", "problems": [{"rule": "OUT_OF_RANGE", "minimum": 1, "maximum": 8, "given": 9}]},
        "Choose a number from 1 to 8.",
    ),
    ({"code": "INVALID_INPUT", "problems": [{"rule": "TOO_LONG", "given": 201, "maximum": 200}]}, "has 201 characters"),
    ({"code": "INVALID_INPUT", "problems": []}, "Check what you entered."),
    ({"code": "NOT_REFUNDABLE", "reason": "TOO_MANY", "refundable": 1}, "Only 1 ticket is left to refund."),
]


async def test_sentence_follows_from_code_rule_and_numbers() -> None:
    found = await find_sentences(*(error for error, _ in CASES))
    assert [words for (_, words), sentence in zip(CASES, found, strict=True) if words not in sentence] == []
    assert SERVER_SENTENCE not in found


async def test_sentence_of_the_server_is_for_unknown_codes_only() -> None:
    found = await find_sentences({"code": "A_NEW_CODE", "reason": "EXPIRED"}, {"code": "SOLD_OUT"})
    assert found[0] == SERVER_SENTENCE
    assert found[1] != SERVER_SENTENCE


@pytest.mark.parametrize(
    ("language", "words"), [("de", "nur noch # Tickets übrig"), ("ar", "بقيت تذكرتان فقط في هذه الفئة")]
)
async def test_sentence_is_in_the_language_of_the_page(language: str, words: str) -> None:
    [found] = await find_sentences({"code": "SOLD_OUT", "available": 2}, language=language)
    assert words.replace("#", "2") in found
