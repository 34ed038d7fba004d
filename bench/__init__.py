"""Measurements, and the clients that the proofs use too. Nothing here imports `proofs`."""
