"""`make bench-queue`: measures the cost and speed of a waiting room.

It uses real stores, a real server and real sockets.
"""
