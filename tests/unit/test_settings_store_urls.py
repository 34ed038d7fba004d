"""A wrong address or name of a store ends in a sentence that names the setting, not in a
traceback, and no sentence quotes a password.
"""

from pathlib import Path

import pytest

from settings import Settings, SettingsError
from tests.support.certificates import write_certificate

PASSWORD = "swordfish"


def refusal_of(name: str, value: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({f"ONSALE_{name}": value})
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/3",
        "redis://[::1]:6379/0",
        "rediss://user:p%40ss@host:6380/0?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=3",
    ],
)
def test_every_usable_redis_url_is_accepted(url: str) -> None:
    assert Settings.from_env({"ONSALE_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:6379", "write it as redis://host:port/database"),
        ("valkey://127.0.0.1:6379/0", "write it as redis://host:port/database"),
        ("http://127.0.0.1:6379", "write it as redis://host:port/database"),
        ("redis://", "write it as redis://host:port/database"),
        ("redis://host:1/x", "write it as redis://host:port/database"),
        ("redis://host:1/-1", "write it as redis://host:port/database"),
        ("redis://host:1/1/2", "write it as redis://host:port/database"),
        ("unix://", "write it as redis://host:port/database"),
        ("redis://host:99999", "Port out of range 0-65535"),
        ("redis://[::1", "write it as redis://host:port/database"),
        ("sentinel://host:26379/mymaster", "Sentinel is not supported"),
        ("redis+sentinel://host:26379/mymaster/0", "Sentinel is not supported"),
        ("redis://one:6379,two:6379/0", "a list of hosts is not supported"),
        ("redis://host/0?socket_timeout=60", "the option socket_timeout is not supported"),
        ("redis://host/0?decode_responses=yes", "the option decode_responses is not supported"),
        ("redis://host/0?ssl_cert_reqs=none", "options for TLS need rediss://"),
        ("rediss://host/0?ssl_nothing=1", "options for TLS need rediss://"),
        ("rediss://host/0?ssl_cert_reqs=bogus", "Invalid SSL Certificate Requirements"),
        ("unix:///run/redis.sock?socket_timeout=60", "the option socket_timeout is not supported"),
        ("unix:///run/redis.sock?db=x", "Invalid value for 'db'"),
        ("rediss://host/0?ssl_ca_certs=/no/such/file", "the file /no/such/file cannot be read: No such file"),
    ],
)
def test_refusal_of_a_redis_url_names_the_setting(url: str, why: str) -> None:
    line = refusal_of("REDIS_URL", url)
    assert line.startswith(f"ONSALE_REDIS_URL is '{url.partition('?')[0]}'; ")
    assert why in line


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://localhost:27017/?replicaSet=rs",
        "mongodb://user:p%40ss@one,two:27018/?replicaSet=rs&tls=true&authSource=admin",
        "mongodb+srv://nowhere.invalid/",
        "mongodb://localhost/?readPreference=secondary",
    ],
)
def test_every_usable_mongodb_url_is_accepted(url: str) -> None:
    assert Settings.from_env({"ONSALE_MONGO_URL": url}).mongo_url == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:27017", "write it as mongodb://host:port"),
        ("postgres://host/", "write it as mongodb://host:port"),
        ("mongodb://", "Must provide at least one hostname or IP"),
        ("mongodb://host:99999/", "Port must be an integer between 0 and 65535"),
        ("mongodb://host:abc/", "Port contains non-digit characters"),
        ("mongodb://host/?replicaset2=x", "Unknown option: replicaset2"),
        ("mongodb://host/?readPreference=bogus", "bogus is not a valid read preference"),
        ("mongodb://one,two/?directConnection=true", "Cannot specify multiple hosts with directConnection=true"),
        ("mongodb+srv://one.example.org,two.example.org/", "takes one name without a port"),
        ("mongodb+srv://one.example.org:27017/", "takes one name without a port"),
        ("mongodb://host/?tls=true&tlsCAFile=/no/such/file", "the file /no/such/file cannot be read: No such file"),
    ],
)
def test_refusal_of_a_mongodb_url_names_the_setting(url: str, why: str) -> None:
    line = refusal_of("MONGO_URL", url)
    assert line.startswith(f"ONSALE_MONGO_URL is '{url.partition('?')[0]}'; ")
    assert why in line


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("REDIS_URL", f"valkey://user:{PASSWORD}@host:6379/0"),
        ("REDIS_URL", f"redis://user:{PASSWORD}/x@host:6379/0"),
        ("REDIS_URL", f"redis://user:{PASSWORD}@host:99999/0"),
        ("REDIS_URL", f"redis://host/0?password={PASSWORD}&timeout=1"),
        ("MONGO_URL", f"postgres://user:{PASSWORD}@host/"),
        ("MONGO_URL", f"mongodb://user:{PASSWORD}/x@host/"),
        ("MONGO_URL", f"mongodb://user:{PASSWORD}@x@host/"),
        ("MONGO_URL", f"mongodb://user:{PASSWORD}@host:99999/"),
        ("MONGO_URL", f"mongodb://user:{PASSWORD}:@host/"),
    ],
)
def test_refusal_of_a_url_does_not_quote_its_password(name: str, url: str) -> None:
    line = refusal_of(name, url)
    assert line.startswith(f"ONSALE_{name} is ")
    assert PASSWORD not in line


@pytest.mark.parametrize("value", ["onsale", "Onsale-2_test", "x" * 63])
def test_every_database_name_that_mongodb_allows_is_accepted(value: str) -> None:
    assert Settings.from_env({"ONSALE_MONGO_DATABASE": value}).mongo_database == value


@pytest.mark.parametrize("value", ["on.sale", "on sale", "x" * 64, "é" * 32, "on/sale", "on$sale", 'on"sale', "\x00"])
def test_refusal_of_a_database_name_names_the_setting(value: str) -> None:
    assert refusal_of("MONGO_DATABASE", value).startswith(f"ONSALE_MONGO_DATABASE is {value!r}; use at most 63 bytes")


@pytest.mark.parametrize("value", ["admin", "local", "config"])
def test_databases_of_mongodb_itself_are_refused(value: str) -> None:
    assert "which MongoDB uses itself; choose another name" in refusal_of("MONGO_DATABASE", value)


def test_readable_certificate_files_are_accepted(tmp_path: Path) -> None:
    file = write_certificate(tmp_path)
    url = f"rediss://host/0?ssl_ca_certs={file}"
    assert Settings.from_env({"ONSALE_REDIS_URL": url}).redis_url == url
    url = f"mongodb://host/?tls=true&tlsCAFile={file}&tlsCertificateKeyFile={file}"
    assert Settings.from_env({"ONSALE_MONGO_URL": url}).mongo_url == url


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("REDIS_URL", "rediss://host/0?ssl_ca_certs={file}"),
        ("REDIS_URL", "rediss://host/0?ssl_certfile={file}"),
        ("MONGO_URL", "mongodb://host/?tls=true&tlsCAFile={file}"),
        ("MONGO_URL", "mongodb+srv://host.example.org/?tlsCAFile={file}"),
        ("MONGO_URL", "mongodb://host/?tls=true&tlsCertificateKeyFile={file}"),
    ],
)
def test_file_without_a_certificate_is_refused(tmp_path: Path, name: str, url: str) -> None:
    (tmp_path / "wrong.pem").write_text("not a certificate")
    line = refusal_of(name, url.format(file=tmp_path / "wrong.pem"))
    assert line.startswith(f"ONSALE_{name} is ")
    assert "names a file that has no valid certificate or key" in line


def test_all_wrong_settings_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"ONSALE_REDIS_URL": "x", "ONSALE_MONGO_URL": "x", "ONSALE_MONGO_DATABASE": "local"})
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == [
        "ONSALE_REDIS_URL",
        "ONSALE_MONGO_URL",
        "ONSALE_MONGO_DATABASE",
    ]
