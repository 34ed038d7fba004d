"""The number of the layout in which this version of Onsale writes its data into both stores."""

LAYOUT = 1
"""Raise it with each change of keys, fields or documents that an earlier version would misread. The
new version must read the old layout until it has converted it (docs/operations.md, Upgrades).
"""
OLDER = "This server is older than the data of its stores"
"""What people are told while a store has a newer layout. `/readyz` and the log say more."""
