"""Runs veraPDF, the validator for PDF/UA, which is fetched once with Maven and verified.

Without Java or Maven, the tests that need it are skipped.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.keycloak.distribution import KeycloakUnavailable, cache_folder, find_java

VERSION = "1.28.2"
ARTIFACT = f"org.verapdf.apps:greenfield-apps:{VERSION}"
JAR = f"greenfield-apps-{VERSION}.jar"
SHA256 = "687d4d8bcfec48c9f7e931cf78ed061f1eeccfba55d4cdc000ba9b4d8aa46ce6"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_FETCH_WITHIN_S = 200
"""Short enough that the test, including the validation that follows, stays within its time
limit.
"""


def validate_ua1(files: Sequence[Path]) -> dict[str, str]:
    """Return `PASS` or `FAIL` for each file, by name."""
    jar = _find_jar()
    command = [str(find_java()), "-XX:TieredStopAtLevel=1", "-cp", str(jar), "org.verapdf.apps.GreenfieldCliWrapper"]
    options = ["--flavour", "ua1", "--format", "text", *map(str, files)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {Path(name).name: verdict for verdict, name, *_ in lines}


def _find_jar() -> Path:
    """Return the verified archive, or skip the test with the reason if there is none."""
    cache = cache_folder()
    jar = cache / JAR
    try:
        find_java()
    except KeycloakUnavailable:
        pytest.skip("Java is missing, so no document was validated: install openjdk-17-jre-headless")
    if not jar.exists():
        maven = shutil.which("mvn")
        if maven is None:
            pytest.skip("Maven is missing, so no document was validated: install maven")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            command = [maven, "-q", "-B", _PLUGIN, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
            try:
                subprocess.run(command, capture_output=True, check=True, timeout=_FETCH_WITHIN_S)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                pytest.skip(f"veraPDF {VERSION} cannot be fetched with Maven, so no document was validated")
            (Path(folder) / JAR).replace(jar)
    assert hashlib.sha256(jar.read_bytes()).hexdigest() == SHA256, f"{jar} is not veraPDF {VERSION}; delete it"
    return jar
