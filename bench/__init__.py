"""What measures, and `clients`, which the proofs use too. Nothing here imports `proofs`."""
