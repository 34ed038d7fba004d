"""Payments: what the provider has told, what Onsale has decided, and what follows from both."""
