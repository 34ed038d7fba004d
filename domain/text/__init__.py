"""Texts that people write: which characters they may have, how they are stored, how they are
searched.
"""
