"""What spans editions: index, feeds, registers, the JSON API, data portals and object storage."""
