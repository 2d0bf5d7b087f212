"""Changing a manifest: the language of `veridact edit` and what each verb does."""
