"""Answers plain `POST /graphql` requests below ASGI."""
