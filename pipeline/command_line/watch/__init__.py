"""`stillwatch watch`: the stream and what it finds, live on the terminal."""
