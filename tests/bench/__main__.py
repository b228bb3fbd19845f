"""``python -m tests.bench``: measure actors beside what Python brings along."""

# Not at the top: processes of a fork server import this module, and would pay for the rest.
if __name__ == "__main__":
    from tests.bench.app import main

    main()
