"""`python -m coliseum_local`."""

from coliseum_local.cli import main

if __name__ == "__main__":
    main()
