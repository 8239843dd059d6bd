"""What all rooms use, and what no user needs to know."""
