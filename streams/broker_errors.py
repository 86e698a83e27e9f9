"""What can go wrong with a broker, in one line each."""


class BrokerError(Exception):
    """No broker, or not the one asked for; the message is one line that says what would help."""
