"""`python -m service.cli` is `artesian`."""

from service.cli import main

main()
