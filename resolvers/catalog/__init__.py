"""Resolvers for drafts that are copied from other concerts, and for drafts that are deleted."""
