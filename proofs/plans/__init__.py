"""Proves that compiled plans answer as graphql-core does, on random operations."""
