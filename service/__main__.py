"""``python -m service``."""

import sys

from service.cli.garbage import collect_seldom
from service.cli.main import app
from service.errors import ServiceError

CANNOT_RUN = 2


def main() -> None:
    """Run a command: exit 0 if all is well, 1 for a negative answer, 2 if it cannot run."""
    collect_seldom()
    try:
        app()
    except ServiceError as error:
        print(f"error: {error.detail}", file=sys.stderr)
        for finding in error.errors:
            print(f"  {finding.get('path', '')} {finding.get('detail', '')}".rstrip(), file=sys.stderr)
        sys.exit(CANNOT_RUN)


if __name__ == "__main__":
    main()
