"""The stock and the prices of a concert, as queries and subscriptions show them."""
