"""Personal information in recognised words."""
