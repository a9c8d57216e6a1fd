"""The commands of `todoku`, one a file."""
