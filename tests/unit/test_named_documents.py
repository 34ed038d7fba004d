"""Every Markdown document mentioned in a source file exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXCLUDED_FOLDERS = {".venv", "frontend"}
"""Folders with third-party sources or a separate build."""
SOURCES = [
    path
    for kind in ("*.py", "*.lua")
    for path in ROOT.rglob(kind)
    if path.relative_to(ROOT).parts[0] not in EXCLUDED_FOLDERS and path != Path(__file__)
]
DOCUMENTS = {path.name for folder in (ROOT, ROOT / "docs", ROOT / "docs" / "adr") for path in folder.glob("*.md")}


def test_every_document_mentioned_in_a_source_file_exists() -> None:
    named = {
        (str(path.relative_to(ROOT)), name)
        for path in SOURCES
        for name in re.findall(r"\b[\w-]+\.md\b", path.read_text())
    }
    assert named
    assert {(place, name) for place, name in named if name not in DOCUMENTS} == set()
