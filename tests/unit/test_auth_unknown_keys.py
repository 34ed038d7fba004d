"""Random key ids cause few fetches and do not delay a new key of the issuer."""

from auth.unknown_keys import MAX_IDS, MAX_REMEMBERED_CHARACTERS, UnknownKeys

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
        cooldown.start()
        self.keys.record_absent(kid)
        return True

    def send_random(self, count: int = 1) -> None:
        for _ in range(count):
            self._sent += 1
            self.send(f"random {self._sent}")


def test_random_ids_cause_one_fetch_per_cooldown() -> None:
    flood = Flood()
    for _ in range(300):
        flood.send_random(100)
        flood.now_s += 0.1
    assert flood.fetches == 3


def test_second_token_of_a_new_key_causes_a_fetch_under_a_flood() -> None:
    flood = Flood()
    flood.send_random(100)
    assert flood.keys.claim_fetch("new key") is None
    assert flood.keys.retry_after_s() == 1
    flood.send_random(MAX_IDS - 1)
    assert flood.keys.claim_fetch("new key") is not None


def test_repeated_ids_cause_a_second_fetch_per_cooldown_at_most() -> None:
    flood = Flood()
    for _ in range(300):
        for kid in ("a", "b", "c"):
            flood.send(kid)
        flood.send_random(10)
        flood.now_s += 0.1
    assert flood.fetches == 6


def test_refused_token_is_told_when_the_first_cooldown_ends() -> None:
    flood = Flood()
    assert [flood.send(kid) for kid in ("a", "b", "b", "c")] == [True, False, True, False]
    flood.now_s += 2.5
    assert flood.keys.retry_after_s() == 8
    flood.now_s += 7.5
    assert flood.send("c")


def test_repeated_id_is_let_through_by_the_cooldown_that_ends_first() -> None:
    flood = Flood()
    assert flood.send("a")
    flood.now_s += COOLDOWN_S / 2
    assert [flood.send(kid) for kid in ("b", "c", "b", "c")] == [False, False, True, False]
    assert flood.keys.retry_after_s() == COOLDOWN_S / 2
    flood.now_s += COOLDOWN_S / 2
    assert flood.send("c")


def test_id_that_a_fetch_did_not_find_causes_no_other_fetch() -> None:
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
    flood.send_random()
    long = "x" * (MAX_REMEMBERED_CHARACTERS + 1)
    assert [flood.send(long) for _ in range(3)] == [False] * 3
