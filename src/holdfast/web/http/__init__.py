"""Requests and answers: what every route has in common, and knows nothing of the business.

strict_json.decode(decoder, raw)      -> the body as its Struct, or a problem that names the field
Answer(scope, send, request_id)       -> one response, with the headers that all have
"""
