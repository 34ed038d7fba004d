"""`make sale`: a whole sale by thousands of people over real HTTP, and the proof that its books are right."""
