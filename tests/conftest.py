"""What every test can use; the fixtures themselves live in the plugins named here."""

pytest_plugins = ["tests.brokers"]
