"""A small platform that sells one security: what docs/button.md tells engineers to build, built."""
