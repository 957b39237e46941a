"""Several tables about the same people, and the person-local steps that make the rows that count from them."""
