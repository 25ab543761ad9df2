"""An experiment as Ray actors, on this machine or on many."""
