"""Images of concerts: their sizes, and the rules for uploads."""
