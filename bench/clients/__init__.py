"""Clients of a running shop, their recorded answers, and the servers that a run starts."""
