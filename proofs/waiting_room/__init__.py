"""`make prove-room`: checks one waiting room under random traffic, with four worker processes."""
