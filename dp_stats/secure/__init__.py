"""The only rooms where rows exist: pull, opt-outs, check, bound, aggregate, add noise."""
