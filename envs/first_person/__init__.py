"""First-person worlds: drawn, moved and scored by the compiled program itself."""
