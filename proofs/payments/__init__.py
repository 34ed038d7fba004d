"""`make proof`: pays thousands of orders while every process is killed, and checks the money.

`buyers` simulates people, the bank and the organizer; `chaos` kills processes and switches on the
sandbox's faults; `judgment` compares the bank's ledger with the orders and both stores.
"""
