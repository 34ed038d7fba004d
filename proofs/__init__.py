"""Checks a whole sale, one waiting room, and the accuracy of the wait estimates."""
