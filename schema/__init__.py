"""The contract between finding and hiding: the manifest, the receipt, their digests, exact geometry and time."""
