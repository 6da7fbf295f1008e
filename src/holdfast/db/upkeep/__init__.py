"""What the sweeper and `holdfast migrate` do beside commands: ends of days, seals of old ledgers, totals."""
