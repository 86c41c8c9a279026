"""From an API call event to a verdict, then to the store and the stream around it."""
