"""Reads the records of a sale directly from both stores, and checks their invariants."""
