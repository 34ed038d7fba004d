"""Compiled plans: the generated code that executes an operation instead of graphql-core.

A plan reproduces what graphql-core would answer, error for error. It handles the plain cases
itself and gives every other case to graphql-core. This package knows no type of the schema.
"""
