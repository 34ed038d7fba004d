"""The pinned release of Keycloak: fetched once with Maven, checked, unpacked and built in a cache.

A folder in the cache appears only when it is complete, so an interrupted run leaves nothing that a
later one would trust.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

VERSION = "26.7.3"
ARCHIVE = f"keycloak-quarkus-dist-{VERSION}.zip"
ARCHIVE_BYTES = 176_710_367
ARCHIVE_SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
OLDEST_JAVA = 17
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"

# Keycloak's start script adds the first four options. The last two halve the CPU time of
# startup, which matters more here than the throughput of a server that runs for days.
JAVA_OPTIONS = (
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("util", "util.concurrent", "security")),
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "-Xmx512m",
    "-XX:MaxMetaspaceSize=256m",
    "-Dfile.encoding=UTF-8",
    "-Duser.language=en",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
    "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
)


class KeycloakUnavailable(RuntimeError):
    """Raised if Keycloak cannot run here; the message says what is missing and what to do."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "onsale"


def find_java() -> Path:
    """Return the path of a Java executable that can run Keycloak. Raises KeycloakUnavailable."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    step = "install Java 17 or later (Debian, Ubuntu: apt-get install openjdk-17-jre-headless)"
    if found is None:
        raise KeycloakUnavailable(f"Java is missing and Keycloak needs it: {step}")
    output = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', output)
    if version is None or int(version[1]) < OLDEST_JAVA:
        shown = output.partition("\n")[0] or "no version"
        raise KeycloakUnavailable(f"Keycloak needs Java {OLDEST_JAVA} or later, and {found} is {shown}: {step}")
    return Path(found)


def find_problem(cache: Path) -> str | None:
    """Return why `prepare` would fail, or None if nothing is known to be missing."""
    try:
        find_java()
        if not (_home(cache).exists() or (cache / ARCHIVE).exists()):
            _find_maven(cache)
    except KeycloakUnavailable as error:
        return str(error)
    return None


def prepare(cache: Path) -> Path:
    """Return the folder of the built release; the first call takes about a minute.

    Raises KeycloakUnavailable.
    """
    java = find_java()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "keycloak.lock"):
        if not _home(cache).exists():
            _build(java, _fetch(cache), _home(cache))
    return _home(cache)


def java_command(home: Path) -> list[str]:
    """Return Java's arguments for the release in `home`, without the command for Keycloak."""
    return [
        *JAVA_OPTIONS,
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home}/conf",
        "-cp",
        f"{home}/lib/quarkus-run.jar",
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
    ]


def _home(cache: Path) -> Path:
    return cache / f"keycloak-{VERSION}"


def _find_maven(cache: Path) -> str:
    found = shutil.which("mvn")
    if found is None:
        raise KeycloakUnavailable(
            f"Maven is missing and Keycloak {VERSION} has not been fetched yet: install Maven (Debian, Ubuntu: "
            f"apt-get install maven), or put {ARCHIVE} into {cache}"
        )
    return found


def _fetch(cache: Path) -> Path:
    archive = cache / ARCHIVE
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            artifact = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
            target = f"-DoutputDirectory={folder}"
            _run(
                [_find_maven(cache), "-q", "-B", _PLUGIN, artifact, target],
                title=f"Fetching Keycloak {VERSION} with Maven, once: 177 MB into {cache}",
            )
            (Path(folder) / ARCHIVE).replace(archive)
    _check(archive)
    return archive


def _check(archive: Path) -> None:
    """Raise KeycloakUnavailable unless the archive is the pinned release."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size != ARCHIVE_BYTES or digest != ARCHIVE_SHA256:
        raise KeycloakUnavailable(
            f"{archive} is not Keycloak {VERSION}: it has {size} bytes and SHA-256 {digest}, expected "
            f"{ARCHIVE_BYTES} bytes and {ARCHIVE_SHA256}. Delete it and start again."
        )


def _build(java: Path, archive: Path, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        unpacked = Path(folder) / home.name
        _run(
            [str(java), *java_command(unpacked), "build", "--db=dev-file", "--cache=local"],
            title="Building Keycloak, once: about a minute",
        )
        unpacked.replace(home)


def _run(command: Sequence[str], *, title: str) -> None:
    print(f"{title} …", flush=True)  # noqa: T201 - this is the output of a command
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-10:])
        raise KeycloakUnavailable(f"{title}: failed with {done.returncode}:\n{last}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time fill the cache; the others wait for it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
