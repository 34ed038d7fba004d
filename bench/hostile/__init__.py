"""Measures the costliest documents and inputs that the limits allow."""
