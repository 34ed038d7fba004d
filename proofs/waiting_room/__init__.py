"""`make prove-room`: four worker processes and random traffic against one waiting room,
with a check of every state it was in.
"""
