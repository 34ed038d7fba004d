"""`make bench-auth` with few tokens: every algorithm is measured."""

from bench import auth
from settings import OidcSettings


async def test_every_algorithm_is_measured() -> None:
    metrics = {metric.name: metric for metric in await auth.measure(tokens=2)}
    assert {f"new_{name}_us" for name in OidcSettings().algorithms} < set(metrics)
    assert all(metric.value > 0 for metric in metrics.values())
    assert metrics["caller_cached_us"].n == 20
