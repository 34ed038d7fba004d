"""Lua scripts match their Python counterparts in keys, arguments and replies, and stay short."""

import re
from pathlib import Path

import pytest

from storage import scripts
from storage.keys import KINDS
from storage.scripts import ALL, Script, load

LUA = Path(scripts.__file__).parent / "lua"
HEADER = re.compile(r"--\[\[(.*?)\n\]\]\n", re.DOTALL)
NAMES = sorted(path.stem for path in LUA.glob("*.lua"))


def text_of(script: Script) -> str:
    return (LUA / f"{script.name}.lua").read_text()


def header_of(script: Script) -> str:
    found = HEADER.match(text_of(script))
    assert found, "the script has no header"
    return found.group(1)


def body_of(script: Script) -> str:
    return HEADER.sub("", text_of(script), count=1)


def test_every_lua_script_has_a_python_counterpart() -> None:
    assert sorted(script.name for script in ALL) == NAMES


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
class TestScript:
    def test_header_names_the_keys(self, script: Script) -> None:
        named = re.search(r"^KEYS\s+(.*)$", header_of(script), re.MULTILINE)
        assert named
        others = ("rate", "person", "login session, renewal", "probe, deployment, layout", "code", "ended sessions")
        assert named.group(1) in ("of the concert, in the order of keys.py", *others)

    def test_header_names_the_arguments(self, script: Script) -> None:
        named = re.findall(r"^ARGV\[(\d)(\*?)\]\s+(\w+)", header_of(script), re.MULTILINE)
        assert [int(number) for number, _, _ in named] == list(range(1, len(named) + 1))
        assert tuple(name + star for _, star, name in named) == script.args

    def test_header_names_the_replies(self, script: Script) -> None:
        replies = header_of(script).split("Replies", 1)[1]
        assert set(re.findall(r"\b[A-Z][A-Z_]+\b", replies)) == script.replies

    def test_script_declares_its_reply_words(self, script: Script) -> None:
        replied = set(re.findall(r"(?:(?:return|reply =) \{|return entry_reply\()'([A-Z_]+)'", body_of(script)))
        if "check_incarnation(" in body_of(script):
            replied |= {"UNKNOWN", "RECOVERING"}
        assert replied == script.replies

    def test_script_reads_every_argument(self, script: Script) -> None:
        body = body_of(script)
        for number, name in enumerate(script.args, start=1):
            is_read = f"ARGV[{number}]" in body or f"= {number}, #ARGV" in body or f"(ARGV, {number})" in body
            assert is_read, name

    def test_script_stays_short(self, script: Script) -> None:
        assert len(body_of(script).splitlines()) <= 60
        assert len([name for name in script.args if not name.endswith("*")]) <= 8

    def test_script_builds_no_key(self, script: Script) -> None:
        assert "onsale" not in load(script.name)
        assert not re.search(r"'(KEYS|SCAN|EVAL)'", load(script.name))


@pytest.mark.parametrize("path", sorted((LUA / "lib").glob("*.lua")), ids=lambda path: path.stem)
def test_shared_part_has_a_comment_and_is_used(path: Path) -> None:
    assert path.read_text().startswith("-- ")
    assert any(f" {path.stem}" in line for script in ALL for line in text_of(script).splitlines() if "@include" in line)


def test_prologue_names_the_keys_in_the_order_of_keys_py() -> None:
    prologue = (LUA / "lib" / "prologue.lua").read_text()
    named = re.findall(r"^local ([A-Z_, ]+) = unpack\(KEYS", prologue, re.MULTILINE)
    assert tuple(name.lower() for part in named for name in part.split(", ")) == KINDS
