"""Measures the CPU time of what buyers do, without and with plans, batches and the fast path."""
