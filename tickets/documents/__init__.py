"""Ticket documents: a PDF with a page for each ticket, and a calendar file."""
