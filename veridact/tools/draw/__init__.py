"""Pictures for reviewers: what a manifest covers, drawn over the original. They are never for disclosure."""
