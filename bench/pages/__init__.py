"""Measures the shop's pages in Chromium."""
