"""Text that people write: allowed characters, stored form and search."""
