"""The visual detectors, one module each, behind the interface in `veridact.locate.detectors.base`."""
