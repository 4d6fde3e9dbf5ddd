"""Models being served: deploying and holding them, taking them down, and one version taking over from another."""
