package bench;

/** A record that cannot be an event: a reason for machines, a detail for people. */
final class Unreadable extends Exception {
    final String reason;

    Unreadable(String reason, String detail) {
        super(detail, null, false, false);
        this.reason = reason;
    }
}
