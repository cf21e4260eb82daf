"""What every service does, shown by webapp."""
