"""The domain model and its rules: pure Python, no I/O, no third-party packages."""
