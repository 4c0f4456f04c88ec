"""Access control: keys, tickets, rate limits."""
