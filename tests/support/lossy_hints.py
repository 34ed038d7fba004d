"""A feed that loses hints."""

from collections.abc import Callable

import pytest

from subscriptions.feed import Feed, HintHandler


def lose_hints(monkeypatch: pytest.MonkeyPatch, feed: Feed, *, is_kept: Callable[[], bool] = lambda: False) -> None:
    """Make listeners added from now on miss each hint for which `is_kept` returns False."""
    listen = feed.listen

    def listen_to_few(channel: str, notice: HintHandler) -> None:
        listen(channel, lambda message: notice(message) if is_kept() else None)

    monkeypatch.setattr(feed, "listen", listen_to_few)
