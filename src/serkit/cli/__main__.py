"""``python -m serkit.cli``, for where the command is not on the path."""

from serkit.cli import main

if __name__ == "__main__":
    main()
