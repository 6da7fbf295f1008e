"""The API described for machines (OpenAPI) and for people, from the table of routes."""
