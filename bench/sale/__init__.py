"""`make sale`: a whole sale by thousands of people over real HTTP,
and the proof that its records are right.
"""
