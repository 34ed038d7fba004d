"""Settings may be files in the folder that systemd prepares for a service."""

from pathlib import Path

import pytest

from settings import Settings, SettingsError
from settings.credentials import FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ONSALE_REDIS_URL").write_text("rediss://onsale:s3cret@redis.example.org/0\n")
    (tmp_path / "pass-key.pem").write_text("not a setting")
    return tmp_path


def test_settings_are_read_from_files_and_from_variables(folder: Path) -> None:
    settings = Settings.from_env({FOLDER: str(folder), "ONSALE_PORT": "8001"})
    assert settings.redis_url == "rediss://onsale:s3cret@redis.example.org/0"
    assert settings.port == 8001


def test_setting_given_in_both_ways_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="ONSALE_REDIS_URL is set twice") as caught:
        Settings.from_env({FOLDER: str(folder), "ONSALE_REDIS_URL": "redis://other"})
    assert str(folder / "ONSALE_REDIS_URL") in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_wrong_value_in_a_file_names_its_setting(folder: Path) -> None:
    (folder / "ONSALE_PORT").write_text("none")
    with pytest.raises(SettingsError, match="ONSALE_PORT is 'none'; it must be a whole number"):
        Settings.from_env({FOLDER: str(folder)})


@pytest.mark.parametrize(("content", "why"), [(None, "Is a directory"), (b"\xff", "it is not text")])
def test_file_that_cannot_be_read_is_reported(folder: Path, content: bytes | None, why: str) -> None:
    file = folder / "ONSALE_MAIL_PASSWORD"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"ONSALE_MAIL_PASSWORD cannot be read from .*: {why}"):
        Settings.from_env({FOLDER: str(folder)})


@pytest.mark.parametrize("value", ["", "/nowhere/at/all"])
def test_folder_that_does_not_exist_is_ignored(value: str) -> None:
    assert Settings.from_env({FOLDER: value}) == Settings.from_env({})
