"""What Todoku is doing just now, as one picture: campaigns, sites, sources, workers. By ids and figures, of nobody."""
