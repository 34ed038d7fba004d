"""Benchmarks, and the clients that they share with the proofs. Nothing here imports `proofs`."""
