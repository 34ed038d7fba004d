"""The cache of verified tokens is bounded and respects `exp` and key changes."""

from auth.bearer import digest_token
from auth.verified_tokens import VerifiedTokens
from auth.viewer import Role, Viewer
from domain.ids import PersonId

ALICE = Viewer(PersonId("a"), "alice", None, frozenset({Role.CUSTOMER}))


def test_token_is_found_until_it_expires() -> None:
    verified = VerifiedTokens()
    verified.add("token", ALICE, expires_at_s=100, generation=1)
    assert verified.get(digest_token("token"), now_s=99.9, generation=1) is ALICE
    assert verified.get(digest_token("token"), now_s=100, generation=1) is None
    assert len(verified) == 0


def test_new_keys_invalidate_every_entry() -> None:
    verified = VerifiedTokens()
    verified.add("token", ALICE, expires_at_s=100, generation=1)
    assert verified.get(digest_token("token"), now_s=0, generation=2) is None
    assert len(verified) == 0


def test_another_token_is_not_found() -> None:
    verified = VerifiedTokens()
    verified.add("token", ALICE, expires_at_s=100, generation=1)
    assert verified.get(digest_token("Token"), now_s=0, generation=1) is None


def test_least_recently_used_token_is_dropped() -> None:
    verified = VerifiedTokens(capacity=2)
    verified.add("first", ALICE, expires_at_s=100, generation=1)
    verified.add("second", ALICE, expires_at_s=100, generation=1)
    assert verified.get(digest_token("first"), now_s=0, generation=1) is ALICE
    verified.add("third", ALICE, expires_at_s=100, generation=1)
    assert len(verified) == 2
    assert verified.get(digest_token("second"), now_s=0, generation=1) is None
    assert verified.get(digest_token("first"), now_s=0, generation=1) is ALICE


def test_cache_does_not_contain_the_token_itself() -> None:
    verified = VerifiedTokens()
    verified.add("secret-token", ALICE, expires_at_s=100, generation=1)
    assert "secret-token" not in repr(vars(verified))


def test_all_tokens_of_a_viewer_can_be_removed() -> None:
    bob = Viewer(PersonId("b"), "bob", None, frozenset())
    verified = VerifiedTokens()
    verified.add("first", ALICE, expires_at_s=100, generation=1)
    verified.add("second", bob, expires_at_s=100, generation=1)
    verified.remove_where(lambda viewer: viewer.person_id == "a")
    assert len(verified) == 1
    assert verified.get(digest_token("second"), now_s=0, generation=1) is bob
