"""Renders the results of the benchmarks as Markdown tables and SVG charts."""
