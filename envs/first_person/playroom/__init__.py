"""Zipf's Playroom: lift, put or find a named thing, of which most are rare."""
