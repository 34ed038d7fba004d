"""Measurements; `clients` serves the proofs too. Nothing here imports `proofs`."""
