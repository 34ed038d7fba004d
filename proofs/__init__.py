"""Proofs of a whole sale, of one waiting room, and of the accuracy of the wait estimates."""
