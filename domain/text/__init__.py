"""Texts that people write: the characters they may contain, and how they are stored and
searched.
"""
