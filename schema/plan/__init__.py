"""What a manifest covers, asked by render, diff, lint, score, show and verify alike; opens no file."""
