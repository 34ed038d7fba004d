"""The catalog: what it shows about each concert, and how concerts are listed."""
