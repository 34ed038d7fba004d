"""`make bench-orders`: measures paid orders with real stores, a real server and the sandbox."""
