"""From a recipient's domain to the hosts that take its mail (RFC 5321 section 5.1)."""
