"""Runs a command and returns its output, which is also shown if the command fails."""

import asyncio
from collections.abc import Mapping
from pathlib import Path


async def run_command(*command: str, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = [text.decode() for text in await process.communicate()]
    assert process.returncode == 0, f"{' '.join(command)} ended with {process.returncode}:\n{output}{errors}"
    return output
