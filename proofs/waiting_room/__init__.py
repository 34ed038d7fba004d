"""`make prove-room`: checks every state of one waiting room under random traffic.

Four worker processes act on it at the same time.
"""
