"""A payment provider for development, tests and proofs: the part of Stripe's API that Onsale needs,
and a bank that obeys test cards.

It is a separate process with its own store, so it survives a crash of Onsale as a real provider
would. Its ledger records every movement of money. `python -m payments.sandbox --help` lists its
options.
"""
