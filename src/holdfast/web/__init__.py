"""The HTTP door: the API as a table of routes, who asks, pages for people, and the documentation.

http/        requests and answers: bodies, problems, the order of errors, bounds of connections
identity/    who asks: keys, sessions, tills, signing in
api/         the routes, a module for each noun
pages/       HTML for people
docs/        the OpenAPI document and its page
"""
