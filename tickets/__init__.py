"""Ticket codes, their keys, revocation lists and documents. No module here depends on a store."""
