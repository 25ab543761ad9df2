"""Classic control: small worlds in which an agent that learns at all soon succeeds."""
