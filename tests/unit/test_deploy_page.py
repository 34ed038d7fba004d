"""docs/deploy.md and the files in deploy/ name settings, commands and files that exist."""

import re
import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy"
PAGE = (ROOT / "docs" / "deploy.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
UNIT = (FOLDER / "systemd" / "onsale.service").read_text()
RUN = (FOLDER / "systemd" / "onsale-run").read_text()
SHIPPED = "deploy/systemd/onsale.env"


def setting_names(settings: object, prefix: str = "ONSALE_") -> set[str]:
    found = set()
    for field in fields(settings):  # type: ignore[arg-type]
        value, name = getattr(settings, field.name), f"{prefix}{field.name.upper()}"
        found |= setting_names(value, f"{name}_") if is_dataclass(value) else {name}
    return found


SETTINGS = setting_names(Settings())
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [ROOT / "docs" / "deploy.md", ROOT / "docs" / "runbook.md", *sorted(FOLDER.glob("*/onsale*"))]
    if path.is_file()
}


@pytest.mark.parametrize("name", TEXTS)
def test_each_setting_that_is_named_exists(name: str) -> None:
    named = {word for word in re.findall(r"\bONSALE_[A-Z_]+[A-Z]\b", TEXTS[name]) if "PASSWORD" not in word}
    if name in ("docs/deploy.md", SHIPPED, "deploy/systemd/onsale.service"):
        assert named
    assert named - SETTINGS == set()


def test_shipped_settings_and_the_credentials_of_the_page_suffice(tmp_path: Path) -> None:
    shipped = (line.partition("=") for line in TEXTS[SHIPPED].splitlines() if line and not line.startswith("#"))
    environ = {name: value for name, _, value in shipped}
    for line in re.findall(r"^.*\S > [A-Z_]+$", PAGE, re.MULTILINE):
        command, _, name = line.rpartition(" > ")
        value = shlex.split(command)[-1] if command.startswith("echo") else ""
        environ[f"ONSALE_{name}"] = _without_commands(value)
    key = "nYLhc0H1vAmMGr0sEsFVUdhmm2Hb5gWzUTK7LhGXEeA="
    environ |= {
        "ONSALE_SESSION_KEYS": key,
        "ONSALE_PAYMENT_SECRET_KEY": "sk_live_abc",
        "ONSALE_PAYMENT_PUBLISHABLE_KEY": "pk_live_abc",
        "ONSALE_PAYMENT_WEBHOOK_SECRETS": "whsec_0123456789abcdef",
        "ONSALE_OIDC_CLIENT_SECRET": key,
    }
    environ |= {name: value.replace("%d", str(tmp_path)) for name, value in _unit_environment().items()}
    settings = Settings.from_env(environ)
    assert settings.is_production
    assert settings.redis_url is not None
    assert settings.redis_url.startswith("rediss://onsale:")


def _without_commands(value: str) -> str:
    """Return the value with a word for each command. The certificates do not exist here."""
    replaced = re.sub(r"\$\(cat [^)]*\)", "word", value)
    return re.sub(r"[?&](ssl_ca_certs|tlsCAFile)=[^&]*", "", replaced)


def _unit_environment() -> dict[str, str]:
    return dict(re.findall(r"^Environment=(ONSALE_\w+)=(.*)$", UNIT, re.MULTILINE))


def test_onsale_run_has_the_settings_and_secrets_of_the_service() -> None:
    wanted = re.findall(
        r"^((?:User|Group|WorkingDirectory|EnvironmentFile|LoadCredential|Environment)=\S+)$", UNIT, re.MULTILINE
    )
    given = re.findall(r"--property=(\S+)", RUN)
    assert len(wanted) > 8
    assert set(wanted) - set(given) == {"Environment=PYTHONDONTWRITEBYTECODE=1"}


def test_service_waits_longer_than_processes_need_to_stop() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    drain_s = Settings(env="production").drains_for_s
    assert int(seconds) >= drain_s + 2 * 20, "servers stop first, then workers, within 20 s each"


def test_each_file_that_the_page_copies_is_shipped() -> None:
    copied = set(re.findall(r"/opt/onsale/current/(deploy/[\w./-]+)", PAGE))
    assert len(copied) > 7
    assert [name for name in copied if not (ROOT / name).is_file()] == []


def test_redis_user_may_use_exactly_the_commands_of_the_scripts() -> None:
    users = (FOLDER / "redis" / "onsale-users.acl").read_text()
    (rules,) = re.findall(r"^user onsale (.*)$", users, re.MULTILINE)
    allowed = set(re.findall(r"\+([\w|]+)", rules))
    scripts = "".join(path.read_text() for path in (ROOT / "storage" / "lua").rglob("*.lua"))
    used = {name.lower() for name in re.findall(r"redis\.p?call\(\s*['\"](\w+)['\"]", scripts)}
    client = {"auth", "ping", "select", "client|setname", "info", "eval", "evalsha", "subscribe", "unsubscribe"}
    assert len(used) > 30
    assert allowed == used | client | {"publish"}


def test_runbook_explains_each_alert_and_no_other() -> None:
    rules = (FOLDER / "prometheus" / "onsale-rules.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    section = RUNBOOK.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(Onsale\w+)` \|", section, re.MULTILINE) == alerts
