"""What every other package stands on: settings, errors, clock, ids, tokens, databases, logs, metrics."""
