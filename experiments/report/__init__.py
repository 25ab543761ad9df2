"""The page of a comparison: its data read, aggregated, drawn and put into one HTML file."""
