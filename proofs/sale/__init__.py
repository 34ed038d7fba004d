"""`make sale`: a whole sale to thousands of people over HTTP, and a check of its records.

`buyers` simulates the people; `records` reads what the stores and the people recorded, and checks
it.
"""
