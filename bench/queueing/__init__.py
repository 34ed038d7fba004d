"""`make bench-queue`: what a waiting room costs and how fast it is, on real stores, a real server and real sockets."""
