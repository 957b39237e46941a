"""What will be measured: strategy, noise scales, cost and expected error; all privacy accounting."""
