"""Who asked for it, a person or a machine: rules in one file, a pure judge, and what labels events by them."""
