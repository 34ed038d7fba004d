"""Checks a whole sale, payments, one waiting room, and the accuracy of the wait estimates."""
