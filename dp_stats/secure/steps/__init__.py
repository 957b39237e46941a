"""Steps that make the rows that count from several tables: each a query that stays within one person's rows."""
