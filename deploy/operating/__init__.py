"""What operators look at and impose: the main database, read by ids and figures, of nobody in person."""
