"""The catalog: the details that it shows about each concert, and the rules for listing concerts."""
