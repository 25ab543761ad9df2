"""What a policy is worth: scores, clips, pictures."""
