"""Reads metrics in Prometheus format."""

from prometheus_client.parser import text_string_to_metric_families


def read_samples(exposed: bytes) -> dict[str, float]:
    """Return the value of each sample, by its name followed by the values of its labels."""
    return {
        "".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(exposed.decode())
        for sample in family.samples
    }
