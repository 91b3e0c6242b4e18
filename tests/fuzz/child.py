"""One target under atheris, in a process of its own: the parsers must be instrumented as they are imported."""

import sys

import atheris

with atheris.instrument_imports(include=["service"]):
    from tests.fuzz.targets import try_input


def main() -> None:
    """Fuzz the target that the first argument names; the others are libFuzzer's."""
    program, target, *options = sys.argv
    atheris.Setup([program, *options], lambda data: try_input(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
