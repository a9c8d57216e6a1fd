"""All that comes back: opens, clicks, unsubscribes; the counters, the reports, and the proof that they agree."""
