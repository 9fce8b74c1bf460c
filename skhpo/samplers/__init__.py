"""Where to look next: samplers over the unit cube."""
