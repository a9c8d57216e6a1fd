"""One message at a time to one relay: connections, the pipelined transaction, and what can go wrong."""
