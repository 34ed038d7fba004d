"""The simulated people of a sale, and what each of them does."""
