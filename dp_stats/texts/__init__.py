"""Words and numbers as a reader meets them, in the reader's language."""
