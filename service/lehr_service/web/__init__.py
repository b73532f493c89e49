"""The web pages: HTML by Jinja, one style sheet, one script; nothing comes from elsewhere."""
