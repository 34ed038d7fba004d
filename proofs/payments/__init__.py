"""`make proof`: thousands of paid orders while every process is killed, and a check of the money.

`buyers` simulates people, the bank and the organizer; `chaos` kills processes and switches the
sandbox's faults on; `judgment` compares the bank's ledger with the orders and both stores.
"""
