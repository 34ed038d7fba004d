"""`make simulate`: whole sales on a fast clock, and the accuracy of the wait estimates."""
