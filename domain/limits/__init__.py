"""Limits on what one client may cost: rates of calls, token buckets, and proofs of work."""
