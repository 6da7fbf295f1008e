"""The HTTP door: the API under /api/v1, its documentation, health, and the mount point of the pages."""
