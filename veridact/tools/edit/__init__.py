"""Changing a manifest: the syntax of `veridact edit` and what each verb does."""
