"""Views over the engine's tables, and the pages that every process has."""
