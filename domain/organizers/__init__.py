"""The orders of a concert, as its organizer sees them."""
