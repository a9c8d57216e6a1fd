"""The embedded receiver: takes all mail in on loopback, keeps it on disk within a bound, shows it on a page.

It stands in for the internet: until a relay is named it is the only way out. Its files hold real addresses by
their nature, so only their owner can read them.
"""
