"""Which frames each detector is run on."""
