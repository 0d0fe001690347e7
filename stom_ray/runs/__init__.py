"""One configured run: what it is about, where it runs, what it found."""
