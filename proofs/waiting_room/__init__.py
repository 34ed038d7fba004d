"""`make prove-room`: checks one waiting room under random traffic and four worker processes."""
