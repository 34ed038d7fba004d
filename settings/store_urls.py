"""Reads the addresses of the stores. A wrong one is reported in a sentence, without its password,
before anything connects.

The libraries that will use a URL also check it here, so both accept the same ones.
"""

import re
import warnings
from ssl import SSLError
from urllib.parse import parse_qs, urlsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri
from redis.asyncio.connection import ConnectionPool, SSLConnection
from redis.exceptions import RedisError

from settings.reader import SettingsReader

_REDIS_FORM = "write it as redis://host:port/database, rediss://host:port/database for TLS, or unix:///path/of/socket"
_REDIS_OPTIONS = re.compile(r"db|username|password|ssl_[a-z_]+")
"""Other options would override those that the guarantees need, such as timeouts."""
_REDIS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_MONGO_FORM = "write it as mongodb://host:port,host:port/?replicaSet=name, or mongodb+srv://host"
_NO_CERTIFICATE = "it names a file that has no valid certificate or key"
_DATABASE_NAME = re.compile(r'[^\x00-\x20/\\."$*<>:|?]+')
_MAX_DATABASE_BYTES = 63
_RESERVED_DATABASES = ("admin", "config", "local")


def read_redis_url(reader: SettingsReader, name: str) -> str | None:
    """Return the URL of the Redis server, and report one that cannot be used."""
    url = reader.optional(name)
    if url is not None and (problem := _redis_problem(url)):
        reader.report(f"ONSALE_{name} is {_shown(url)!r}; {problem}")
    return url


def read_mongo_url(reader: SettingsReader, name: str) -> str | None:
    """Return the URL of the MongoDB replica set, and report one that cannot be used."""
    url = reader.optional(name)
    if url is not None and (problem := _mongo_problem(url)):
        reader.report(f"ONSALE_{name} is {_shown(url)!r}; {problem}")
    return url


def read_database_name(reader: SettingsReader, name: str, default: str) -> str:
    """Return the name of the MongoDB database, and report one that MongoDB does not allow."""
    value = reader.text(name, default)
    if value in _RESERVED_DATABASES:
        reader.report(f"ONSALE_{name} is {value!r}, which MongoDB uses itself; choose another name, such as {default}")
    elif not _DATABASE_NAME.fullmatch(value) or len(value.encode(errors="replace")) > _MAX_DATABASE_BYTES:
        reader.report(
            f"ONSALE_{name} is {value[:64]!r}; use at most {_MAX_DATABASE_BYTES} bytes, without spaces and without"
            ' any of / \\ . " $ * < > : | ?'
        )
    return value


def _redis_problem(url: str) -> str | None:
    scheme, is_url, _ = url.partition("://")
    if "sentinel" in scheme:
        return (
            "Sentinel is not supported; give the address of a TCP proxy or a DNS name that always leads to the primary"
        )
    if not is_url or scheme not in ("redis", "rediss", "unix"):
        return _REDIS_FORM
    try:
        found = urlsplit(url)
        if "," in found.netloc.rpartition("@")[2]:
            return "a list of hosts is not supported; give one address that always leads to the primary"
        has_place = found.hostname and re.fullmatch(r"/?|/[0-9]{1,6}", found.path)
        if not (found.path.strip("/") if scheme == "unix" else has_place):
            return _REDIS_FORM
        options = parse_qs(found.query, keep_blank_values=True)
        if unknown := sorted(name for name in options if not _REDIS_OPTIONS.fullmatch(name)):
            return f"the option {unknown[0][:64]} is not supported; remove it"
        for name in _REDIS_FILES:
            for path in options.get(name, ()):
                with open(path, "rb"):
                    pass
        connection = ConnectionPool.from_url(url).make_connection()
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    except SSLError as error:
        return f"{_NO_CERTIFICATE}: {error}"
    except OSError as error:
        return f"the file {error.filename} cannot be read: {error.strerror}"
    except TypeError:
        return "its options do not fit its scheme: options for TLS need rediss://"
    except (RedisError, ValueError) as error:
        return _REDIS_FORM if "@" in url else f"{error}; {_REDIS_FORM}"
    return None


def _mongo_problem(url: str) -> str | None:
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        return _MONGO_FORM
    # A name in DNS may be unknown for a while, which is an outage and not a wrong setting.
    is_srv = url.startswith("mongodb+srv://")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if is_srv and re.search("[,:]", urlsplit(url).netloc.rpartition("@")[2]):
                return "mongodb+srv:// takes one name without a port"
            plain = url.replace("mongodb+srv://", "mongodb://", 1)
            parse_uri(plain, validate=True, warn=False)
            # This reads the certificates.
            MongoClient[dict[str, object]](plain, connect=False).close()
    except SSLError as error:
        return f"{_NO_CERTIFICATE}: {error}"
    except OSError as error:
        return f"the file {error.filename} cannot be read: {error.strerror}"
    except (PyMongoError, ValueError, TypeError) as error:
        if isinstance(error.__cause__ or error.__context__, SSLError):
            return f"{_NO_CERTIFICATE}: {error}"
        if "@" in url:
            # The library's message may quote a part of a password that is not encoded.
            return f"{_MONGO_FORM}; percent-encode special characters in the user name and the password"
        return f"{str(error).partition(' Refer to')[0]}; {_MONGO_FORM}"
    return None


def _shown(url: str) -> str:
    """Return the URL without its options, user name and password."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    return (scheme + separator + rest.rpartition("@")[2].partition("?")[0])[:200]
