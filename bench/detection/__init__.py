"""Detection on public, labelled data, beside what others have published on it."""
