"""Sends events to the receiver of webhooks."""
