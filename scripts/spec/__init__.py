"""The parts of scripts/spec-check: one file for each thing that is checked or generated."""
