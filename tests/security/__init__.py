"""Requirements of OWASP ASVS that no other test has to itself (docs/reference/asvs.md)."""
