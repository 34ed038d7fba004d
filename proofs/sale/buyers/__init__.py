"""The simulated people of a sale, and their actions."""
