"""What a receiver said and what it means: one classifier for SMTP replies, DSNs and webhooks' texts."""
