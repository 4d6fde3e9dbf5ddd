"""Labels that come later: read from a request, checked as training's were, written into the inference log."""
