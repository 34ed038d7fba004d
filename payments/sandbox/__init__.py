"""A payment provider for development, tests and proofs: the needed part of Stripe's API, with a
bank behind it that obeys test cards.

It is a process of its own with a store of its own, so it outlives a crash of Onsale as a real
provider would, and its ledger says what the bank has seen. `python -m payments.sandbox --help`
lists its options.
"""
