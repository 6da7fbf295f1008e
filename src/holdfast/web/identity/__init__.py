"""Who asks: API keys, browser sessions, tills and their PINs, signing in, and what is noted of it.

identity = await auth.identify(headers, "POST", origin=origin)
"""
