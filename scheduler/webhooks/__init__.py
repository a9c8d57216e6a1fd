"""Webhooks: an account's notices, posted to where it wants them, signed, until they are taken or given up."""
