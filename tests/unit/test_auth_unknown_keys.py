"""Random key ids cause few fetches and do not keep the issuer's new keys from being found."""

from auth.unknown_keys import BURST, MAX_IDS, MAX_REMEMBERED_CHARACTERS, UnknownKeys

COOLDOWN_S = 10.0


class Flood:
    """Sends key ids, and counts the fetches, none of which finds a new key."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.keys = UnknownKeys(COOLDOWN_S, clock=lambda: self.now_s)
        self.fetches = 0
        self._sent = 0

    def send(self, kid: str) -> bool:
        """Send a token with this id, and return whether it caused a fetch."""
        cooldown = None if self.keys.is_absent(kid) else self.keys.claim_fetch(kid)
        if cooldown is None:
            return False
        self.fetches += 1
        cooldown.count_fetch()
        self.keys.record_absent(kid)
        return True

    def send_random(self, count: int = 1) -> None:
        for _ in range(count):
            self._sent += 1
            self.send(f"random {self._sent}")


def test_random_ids_cause_three_fetches_and_then_one_per_cooldown() -> None:
    flood = Flood()
    for _ in range(300):
        flood.send_random(100)
        flood.now_s += 0.1
    assert flood.fetches == BURST + 2


def test_second_token_with_a_new_key_causes_a_fetch_during_a_flood() -> None:
    flood = Flood()
    flood.send_random(100)
    assert flood.keys.claim_fetch("new key") is None
    assert flood.keys.retry_after_s() == 1
    flood.send_random(MAX_IDS - 1)
    assert flood.keys.claim_fetch("new key") is not None


def test_repeated_ids_cause_at_most_twice_as_many_fetches() -> None:
    flood = Flood()
    for number in range(300):
        for kid in ("a", "b", "c"):
            flood.send(f"{kid} {number}")
            flood.send(f"{kid} {number}")
        flood.now_s += 0.1
    assert flood.fetches == 2 * (BURST + 2)


def test_refusal_says_when_the_first_cooldown_ends() -> None:
    flood = Flood()
    flood.send_random(BURST)
    flood.now_s += COOLDOWN_S / 2
    refused = [f"{number}" for number in range(BURST + 1)]
    assert [flood.send(kid) for kid in refused] == [False] * (BURST + 1)
    assert flood.keys.retry_after_s() == 1
    assert [flood.send(kid) for kid in refused] == [True] * BURST + [False]
    assert flood.keys.retry_after_s() == COOLDOWN_S / 2
    flood.now_s += COOLDOWN_S / 2
    assert flood.send(refused[-1])


def test_absent_id_causes_no_further_fetch_until_the_cooldown_ends() -> None:
    flood = Flood()
    assert flood.send("old key")
    flood.now_s += COOLDOWN_S - 0.1
    assert flood.keys.is_absent("old key")
    flood.now_s += 0.1
    assert flood.send("old key")


def test_outage_starts_both_cooldowns() -> None:
    flood = Flood()
    flood.keys.record_outage()
    assert [flood.send(kid) for kid in ("a", "a", "a")] == [False] * 3
    assert flood.keys.retry_after_s() == COOLDOWN_S


def test_long_ids_are_not_remembered() -> None:
    flood = Flood()
    flood.send_random(BURST)
    long = "x" * (MAX_REMEMBERED_CHARACTERS + 1)
    assert [flood.send(long) for _ in range(3)] == [False] * 3
