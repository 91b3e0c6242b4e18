"""A façade with which public W3C test suites can be pointed at this service. Off unless a setting asks for it."""
