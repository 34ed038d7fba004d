"""`make audit` names tests that exist, so renaming one of them is noticed before the next audit."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
[AUDITS] = re.findall(r"^AUDITS := (.*?)\n\n", (ROOT / "Makefile").read_text(), re.MULTILINE | re.DOTALL)


def test_make_audit_names_modules_that_exist() -> None:
    groups = re.findall(r"\$\(addprefix (\S+), (.*?)\)", AUDITS, re.DOTALL)
    modules = [Path(folder, name) for folder, names in groups for name in re.findall(r"\w+\.py", names)]
    assert len(modules) == AUDITS.count(".py")
    assert [module for module in modules if not (ROOT / module).is_file()] == []


def test_make_audit_names_a_story_that_exists() -> None:
    [story] = re.findall(r"\[(\w+)\]", AUDITS)
    assert f'"{story}": ' in (ROOT / "tests/e2e/test_frontend_graphiql.py").read_text()
