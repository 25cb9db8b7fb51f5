"""Tests through the front door: commands, resume, disks, distribution."""
