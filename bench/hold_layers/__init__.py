"""`python -m bench.hold_layers`: measures the CPU time of a hold, and how the layers share it."""
