"""What Onsale sells and the rules of selling it: pure Python, no I/O, no third party."""
