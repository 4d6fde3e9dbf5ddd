"""What a replica and its model's monitor say to each other."""
