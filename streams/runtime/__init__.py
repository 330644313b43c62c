"""The Faust apps: topics, tables and agents wired to the core; thin."""
