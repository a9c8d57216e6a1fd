"""Composition: content is checked and compiled once, each message then costs only what differs in it.

`content` what is frozen at scheduling · `check` every fault at once, before anything is scheduled · `compiled`
one content version ready to be filled, message by message. Pure throughout: no clock, no randomness, no I/O.
"""
