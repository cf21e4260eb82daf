"""Tests of app/: in one process where that shows it, under the real gunicorn where only that can."""
