"""What leaves the event loop: large work in processes of its own, or in threads."""
