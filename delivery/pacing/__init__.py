"""How fast mail may go: budgets of (source, site) that all workers of all machines share through Postgres."""
