"""The form of a job: its fields, how they are read and written, drafts, and what two people changed."""
