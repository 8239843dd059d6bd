"""Readers of what people have: subtitles, segments of recognisers, chats."""
