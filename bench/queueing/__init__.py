"""`make bench-queue`: measures a waiting room with real stores, a real server and real sockets."""
