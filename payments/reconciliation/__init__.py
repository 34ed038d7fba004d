"""The reconciliation compares the provider, the orders and the stock, and repairs what is safe."""
