"""The saga of a paid order: every call to the provider, and every change to the order."""
