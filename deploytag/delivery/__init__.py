"""Acts: runs the program, holds the lease, repairs, verifies and cleans up. It never declares, nor imports pulumi."""
