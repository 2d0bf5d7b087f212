"""The back ends that find things in pictures, one a file behind the interface in `veridact.locate.detectors.base`."""
