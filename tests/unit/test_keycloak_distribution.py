"""Keycloak runs only from the pinned archive, and errors name what is missing."""

import os
from pathlib import Path

import pytest

from deploy.keycloak import distribution
from deploy.keycloak.distribution import ARCHIVE, VERSION, KeycloakUnavailable, cache_folder, find_problem, prepare


def make_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found. It contains Java 21."""
    folder = tmp_path / "bin"
    make_program(folder, "java", """echo 'openjdk version "21.0.2" 2024-01-16' >&2""")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def test_cache_folder_follows_the_xdg_setting(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "onsale"
    assert cache_folder({}) == Path.home() / ".cache" / "onsale"


def test_error_for_a_missing_java_names_its_package(programs: Path, tmp_path: Path) -> None:
    (programs / "java").unlink()
    problem = find_problem(tmp_path)
    assert problem is not None
    assert problem.startswith("Java is missing and Keycloak needs it: install Java 17 or later")
    with pytest.raises(KeycloakUnavailable, match="openjdk-17-jre-headless"):
        prepare(tmp_path)


@pytest.mark.parametrize("version", ["11.0.22", "1.8.0_402"])
def test_error_for_an_old_java_names_its_version(programs: Path, tmp_path: Path, version: str) -> None:
    make_program(programs, "java", f"""echo 'openjdk version "{version}"' >&2""")
    problem = find_problem(tmp_path)
    assert problem is not None
    assert problem.startswith(f'Keycloak needs Java 17 or later, and {programs}/java is openjdk version "{version}"')


def test_java_home_takes_precedence_over_the_path(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert str(find_problem(tmp_path)).startswith("Java is missing")
    make_program(tmp_path / "jdk", "x", "")
    make_program(tmp_path / "jdk" / "bin", "java", """echo 'openjdk version "17.0.1"' >&2""")
    assert distribution.find_java() == tmp_path / "jdk" / "bin" / "java"


@pytest.mark.usefixtures("programs")
def test_missing_maven_matters_only_without_the_archive(tmp_path: Path) -> None:
    problem = find_problem(tmp_path)
    assert problem is not None
    assert problem.startswith(f"Maven is missing and Keycloak {VERSION} has not been fetched yet: install Maven")
    assert problem.endswith(f"or put {ARCHIVE} into {tmp_path}")
    (tmp_path / ARCHIVE).touch()
    assert find_problem(tmp_path) is None


@pytest.mark.usefixtures("programs")
def test_altered_archive_is_refused_and_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"not Keycloak")
    with pytest.raises(KeycloakUnavailable, match=r"has 12 bytes and SHA-256 .* Delete it and start again"):
        prepare(tmp_path)
    assert not (tmp_path / f"keycloak-{VERSION}").exists()


def test_failed_fetch_shows_mavens_output_and_leaves_no_files_behind(
    programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_program(programs, "mvn", "echo 'Could not transfer artifact'; exit 1")
    cache = tmp_path / "cache"
    with pytest.raises(KeycloakUnavailable, match="failed with 1:\nCould not transfer artifact"):
        prepare(cache)
    assert os.listdir(cache) == ["keycloak.lock"]
    assert f"Fetching Keycloak {VERSION} with Maven, once: 177 MB into {cache}" in capsys.readouterr().out
