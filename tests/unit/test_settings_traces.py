"""Traces are off unless ONSALE_TRACES is yes; wrong variables of OpenTelemetry are named."""

import importlib.util

import pytest

from settings import Settings, SettingsError

ON = {"ONSALE_TRACES": "yes"}


def problems(**values: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(ON | values)
    return str(refused.value).split("\n")


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, None),
        ({"ONSALE_TRACES": "no"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, None),
        (ON | {"OTEL_SDK_DISABLED": "true"}, None),
        (ON, "http://localhost:4318/v1/traces"),
        (ON | {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318/"}, "https://collector:4318/v1/traces"),
        (ON | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector/spans"}, "http://collector/spans"),
    ],
)
def test_url_follows_from_the_standard_variables(values: dict[str, str], url: str | None) -> None:
    assert Settings.from_env(values).traces == url


@pytest.mark.parametrize(
    ("name", "value", "step"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "write it as http://host:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", "write it as http://host:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:99999", "write it as http://host:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "use that or unset it"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "it must be one of parentbased_always_on"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "a whole number from 1 to 1000000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is 512; it must be at most"),
    ],
)
def test_wrong_variable_is_named_with_the_next_step(name: str, value: str, step: str) -> None:
    (problem,) = problems(**{name: value})
    assert name in problem
    assert step in problem


@pytest.mark.parametrize("share", [None, "half", "1.5"])
def test_ratio_needs_a_share(share: str | None) -> None:
    (problem,) = problems(
        OTEL_TRACES_SAMPLER="traceidratio", **({} if share is None else {"OTEL_TRACES_SAMPLER_ARG": share})
    )
    assert problem.startswith("OTEL_TRACES_SAMPLER_ARG is ")


def test_missing_library_is_a_settings_error_that_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> object:
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)
        return find_spec(name, package)

    monkeypatch.setattr("settings.traces.find_spec", find)
    (problem,) = problems()
    assert problem == ("ONSALE_TRACES is 'yes', but OpenTelemetry is not installed; run `make traces`, or set it to no")
