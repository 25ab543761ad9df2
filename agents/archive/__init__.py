"""Go-Explore: an archive of kept states that are gone back to, and practice along the best ways."""
