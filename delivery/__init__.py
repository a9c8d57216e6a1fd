"""From a claimed chunk to a 250: compose, sign, route, pace, connect, send, record."""
