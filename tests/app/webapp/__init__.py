"""What webapp does beside."""
