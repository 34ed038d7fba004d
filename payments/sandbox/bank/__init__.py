"""The bank: test cards, payments, refunds and disputes, and what it does later."""
