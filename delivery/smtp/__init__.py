"""Messages, one after another, to one peer: connections, chained transactions, and what can go wrong."""
