"""Makes a feed lose hints."""

from collections.abc import Callable

import pytest

from subscriptions.feed import Feed, HintHandler


def lose_hints(monkeypatch: pytest.MonkeyPatch, feed: Feed, *, is_kept: Callable[[], bool] = lambda: False) -> None:
    """Make future listeners miss every hint for which `is_kept` returns False."""
    listen = feed.listen

    def listen_lossily(channel: str, handler: HintHandler) -> None:
        listen(channel, lambda message: handler(message) if is_kept() else None)

    monkeypatch.setattr(feed, "listen", listen_lossily)
