"""Comparing bonuses: what is to run, tuning, running, measuring, and the data it leaves."""
