"""What catalog does beside, on a real PostgreSQL."""
