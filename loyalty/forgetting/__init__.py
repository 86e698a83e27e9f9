"""Forgetting an account: what becomes of each record, of the books, and of the topics. See docs/privacy.md."""
