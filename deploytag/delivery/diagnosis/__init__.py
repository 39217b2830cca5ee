"""What is the matter with an environment: while it is deployed, when it is verified, and when somebody asks."""
