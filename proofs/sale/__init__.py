"""`make sale`: a whole sale to thousands of people over HTTP, and a check of its records.

`buyers` simulates the people; `records` compares the data in the stores with the answers that the
people received.
"""
