"""Random rules over random members, and who meets them by the handbook alone."""
