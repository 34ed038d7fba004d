"""Reads settings from the credential files of a service, besides the environment variables.

systemd passes secrets to a service as files in the folder `CREDENTIALS_DIRECTORY`, because the
environment of a process is shown by more tools than its files. A file `ONSALE_X` there is the
setting `ONSALE_X`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from settings.reader import SettingsReader

FOLDER = "CREDENTIALS_DIRECTORY"
_SETTING = re.compile(r"ONSALE_[A-Z_]+", re.ASCII)


def open_reader(environ: Mapping[str, str]) -> SettingsReader:
    """Return a reader of the environment variables and the credential files.

    A file that cannot be read, and a setting that is given in both ways, are reported.
    """
    values, problems = dict(environ), list[str]()
    for file in _setting_files(environ):
        try:
            text = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            problems.append(f"{file.name} cannot be read from {file}: {reason}")
            continue
        if environ.get(file.name):
            problems.append(f"{file.name} is set twice: as an environment variable and in {file}; remove one of them")
        values[file.name] = text
    reader = SettingsReader(values)
    for problem in problems:
        reader.report(problem)
    return reader


def _setting_files(environ: Mapping[str, str]) -> list[Path]:
    folder = environ.get(FOLDER)
    if not folder or not Path(folder).is_dir():
        return []
    return sorted(file for file in Path(folder).iterdir() if _SETTING.fullmatch(file.name))
