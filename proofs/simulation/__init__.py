"""`make simulate`: simulates sales on a fast clock and scores their wait estimates."""
