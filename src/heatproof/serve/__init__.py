"""A page on this machine: drop in a photo, see maps, compare classes, take them along."""
