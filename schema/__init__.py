"""The contract between `locate` and `render`: manifest, receipt, their digests, exact geometry and time."""
