"""The peers in Python. They run with Onsale's own interpreter and packages."""
