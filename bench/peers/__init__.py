"""The same GraphQL work on other servers, for comparison with Onsale.

Each peer holds tickets through one Redis script, and pushes the stock of six tiers to its
subscribers. `make bench-peers` builds the peers and the load generator in build/peers; it writes
nothing beside the sources.
"""
