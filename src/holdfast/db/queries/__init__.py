"""The queries behind the reports, one module per noun: SQL, and the shapes of `core.document` made from its rows."""
