"""`python -m replay` is the program `stillwatch`."""

from replay.command_line import main

main()
