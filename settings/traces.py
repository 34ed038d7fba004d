"""Whether traces are sent (`ONSALE_TRACES`). The standard variables of OpenTelemetry, which its SDK
reads itself, are checked here, because the SDK ignores or replaces wrong values.
"""

from importlib.util import find_spec
from urllib.parse import urlsplit

from settings.reader import SettingsReader

_EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_PROTOCOL = "http/protobuf"
_DEFAULT_ENDPOINT = "http://localhost:4318"
_SAMPLERS = (
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "always_on",
    "always_off",
    "traceidratio",
)
_QUEUE, _BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_DEFAULT_SIZES = {_QUEUE: 2_048, _BATCH: 512}


def read_traces_url(reader: SettingsReader) -> str | None:
    """Return the URL to which spans are posted, or None if traces are off."""
    is_on = reader.yes_or_no("TRACES")
    if not is_on or (reader.standard("OTEL_SDK_DISABLED") or "").lower() == "true":
        return None
    if not _is_installed():
        reader.report("ONSALE_TRACES is 'yes', but OpenTelemetry is not installed; run `make traces`, or set it to no")
    _check_protocol(reader)
    _check_sampler(reader)
    _check_queue(reader)
    return _read_endpoint(reader)


def _read_endpoint(reader: SettingsReader) -> str:
    own, shared = reader.standard(_TRACES_ENDPOINT), reader.standard(_ENDPOINT)
    name, url = (_TRACES_ENDPOINT, own) if own else (_ENDPOINT, shared or _DEFAULT_ENDPOINT)
    if not _is_http_url(url):
        reader.report(f"{name} is {url[:64]!r}; write it as http://host:4318 or https://host:4318")
    return own or f"{url.rstrip('/')}/v1/traces"


def _check_protocol(reader: SettingsReader) -> None:
    for name in _PROTOCOLS:
        value = reader.standard(name)
        if value not in (None, _PROTOCOL):
            reader.report(f"{name} is {value[:64]!r}; Onsale sends spans as {_PROTOCOL}, so use that or unset it")


def _check_sampler(reader: SettingsReader) -> None:
    sampler = reader.standard("OTEL_TRACES_SAMPLER") or _SAMPLERS[0]
    if sampler.lower() not in _SAMPLERS:
        reader.report(f"OTEL_TRACES_SAMPLER is {sampler[:64]!r}; it must be one of {', '.join(_SAMPLERS)}")
    share = reader.standard("OTEL_TRACES_SAMPLER_ARG")
    if sampler.lower().endswith("traceidratio") and not _is_share(share):
        given = "missing" if share is None else repr(share[:64])
        reader.report(f"OTEL_TRACES_SAMPLER_ARG is {given}; with {sampler}, it must be a share from 0 to 1")


def _check_queue(reader: SettingsReader) -> None:
    sizes = dict(_DEFAULT_SIZES)
    for name in sizes:
        value = reader.standard(name)
        if value is None:
            continue
        if not value.isascii() or not value.isdecimal() or not 1 <= int(value[:10]) <= 1_000_000:
            reader.report(f"{name} is {value[:64]!r}; it must be a whole number from 1 to 1000000")
            return
        sizes[name] = int(value)
    if sizes[_BATCH] > sizes[_QUEUE]:
        reader.report(f"{_BATCH} is {sizes[_BATCH]}; it must be at most {_QUEUE}, which is {sizes[_QUEUE]}")


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.sdk.trace") is not None and find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:
        return False


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_share(value: str | None) -> bool:
    try:
        return value is not None and 0 <= float(value) <= 1
    except ValueError:
        return False
