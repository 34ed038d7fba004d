"""Formats times and numbers of tickets for error messages."""

from datetime import UTC, datetime


def format_time(moment: datetime) -> str:
    """Format a time as the API does, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_tickets(count: int) -> str:
    return "1 ticket" if count == 1 else f"{count} tickets"
