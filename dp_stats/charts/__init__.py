"""How numbers are drawn: series, maps, and what a chart shows in words."""
