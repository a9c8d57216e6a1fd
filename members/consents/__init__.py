"""The consent ledger: what was consented to and taken back, only ever added to, in a chain that shows every alteration.

The database chains by itself (core/schema/members/0003_ledger.sql): each statement that adds records adds one link to
its account's chain. `chain` is the same arithmetic in Python, `verify` compares the two over everything there is.
"""
