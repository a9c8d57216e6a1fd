"""Segment rules: what they may say, how they are read, and how they are answered.

`tree` the nodes; `reading` from JSON, with every fault named; `writing` back to JSON; `operators` what may be compared
and when it holds; `plan` one jsonpath and the sets that it needs; `jsonpath` the leaves that facets answer; `predicate`
those that are answered by opening members; `hiding` values kept sealed where rules are stored.
"""
