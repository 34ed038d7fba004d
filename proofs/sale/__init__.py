"""`make sale`: a whole sale to thousands of people over HTTP, and a check of its records.

`buyers` simulates the people; `records` reads and checks the records of the stores and people.
"""
