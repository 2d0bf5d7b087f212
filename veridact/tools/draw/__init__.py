"""Pictures of a manifest for reviewers, over the original; never for disclosure."""
