"""`make bench-queue`: cost and speed of a waiting room,
on real stores, a real server and real sockets.
"""
