"""Turns settings into the objects that the parts of a process use."""
