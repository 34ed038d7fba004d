"""Sends generated documents, messages and frames to a running server, and reports wrong answers."""
