"""Campaigns: groups of accounts that extract together, found by what they share."""
