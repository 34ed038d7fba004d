"""The SDL of the last release, and what has changed since."""
