"""`python -m replay` is the program `stillwatch`."""

from replay.command_line import main

if __name__ == "__main__":
    main()
