"""What a run can be told, and how it becomes flags, JSON and errors."""
