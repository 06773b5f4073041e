"""The model server, its client, and the release format they share with the pusher."""
