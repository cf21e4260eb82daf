"""What works on the checkout itself, and is no part of the program or the platform."""
