"""`make sale`: a whole sale to thousands of people over HTTP, and a check of its records.

`buyers` are the people, `records` what the stores and the people recorded, and its invariants.
"""
