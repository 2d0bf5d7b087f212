"""What an auditor runs: checking receipts and outputs, signing them, and handing them out."""
