"""Payments: what the provider has reported, what Onsale has decided, and what follows from both."""
