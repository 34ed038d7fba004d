"""The saga of a paid order: every call to the provider, and every change of the order."""
