package bench;

import bench.Account.Cause;
import bench.Account.Claim;
import bench.Account.Referral;
import bench.Turn.Topic;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;

/** Bring a friend: two rows, and steps between them that may come twice and in any order. */
final class Referrals {
    enum Kind { CLAIM, ANSWER, CONVERSION, RESULT }

    record Step(Kind kind, String sender, Cause cause, String code, String reason) {
        static Step decoded(byte[] value) {
            Bytes.Reader in = new Bytes.Reader(value);
            return new Step(
                    Kind.values()[in.one()], in.string(), AccountCodec.cause(in), in.string(), in.string());
        }

        long identity() {
            return Hash.of(kind.name(), sender, cause.subject(), cause.source(), cause.id(), Long.toString(cause.time()));
        }
    }

    /** The order in which tests are told. */
    private static final List<String> TESTS = List.of(
            "unknown-code", "self-referral", "already-referred", "existing-customer", "not-individual",
            "not-participant", "programme-not-active");
    private static final String ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    private final Blake2b check;
    private final Bytes text = new Bytes(128);

    Referrals(byte[] key) {
        check = new Blake2b(8, key);
    }

    void register(Turn turn, String code) {
        Account row = turn.row;
        Claim claim = new Claim();
        claim.code = code;
        claim.cause = turn.cause;
        claim.advocate = advocateOf(code);
        if (!row.isOpen()) {
            say(turn, "referral.rejected", "friend", claim, "unknown-account", null);
        } else if (claim.advocate == null) {
            say(turn, "referral.rejected", "friend", claim, "unknown-code", null);
        } else if (claim.advocate.equals(row.id)) {
            say(turn, "referral.rejected", "friend", claim, "self-referral", null);
        } else {
            claim.fault = friendFault(turn);
            if (isCustomer(row)) {
                claim.converted = turn.cause;
            }
            if (row.claims.stream().anyMatch(other -> other.state == Referral.CLAIMED)) {
                claim.state = Referral.WAITING;
            } else {
                sendClaim(turn, claim);
            }
            row.claims.add(claim);
        }
    }

    void apply(Turn turn, Step step) {
        switch (step.kind()) {
            case CLAIM -> answer(turn, step);
            case ANSWER -> takeAnswer(turn, step);
            case CONVERSION -> settle(turn, step);
            case RESULT -> takeResult(turn, step);
        }
    }

    /** After an activation or a payment: both together make the friend a customer. */
    void noticeConversion(Turn turn) {
        if (turn.row.claims.isEmpty() || !isCustomer(turn.row)) {
            return;
        }
        for (Claim claim : turn.row.claims) {
            if (claim.converted == null && claim.state.compareTo(Referral.ACCEPTED) <= 0) {
                claim.converted = turn.cause;
                if (claim.state == Referral.ACCEPTED) {
                    convert(turn, claim);
                }
            }
        }
    }

    private void answer(Turn turn, Step step) {
        String reason = claimFault(turn, step);
        if (reason == null) {
            turn.row.advocated.put(step.sender(), Referral.ACCEPTED);
            say(turn, "referral.accepted", "advocate", view(turn, step), "accepted", step.sender());
        }
        turn.send(Kind.ANSWER, step.sender(), turn.cause, step.code(), reason);
    }

    private void takeAnswer(Turn turn, Step step) {
        Claim claim = null;
        for (Claim one : turn.row.claims) {
            if (one.state == Referral.CLAIMED && one.cause.equals(turn.cause)) {
                claim = one;
                break;
            }
        }
        if (claim == null) {
            return;
        }
        if (step.reason() != null) {
            turn.row.claims.remove(claim);
            say(turn, "referral.rejected", "friend", claim, step.reason(), null);
        } else {
            claim.state = Referral.ACCEPTED;
            say(turn, "referral.accepted", "friend", claim, "accepted", null);
            if (claim.converted != null) {
                convert(turn, claim);
            }
        }
        nextClaim(turn);
    }

    private void settle(Turn turn, Step step) {
        Account row = turn.row;
        String friend = step.sender();
        if (row.advocated.get(friend) != Referral.ACCEPTED) {
            return;
        }
        String reason = null;
        // Of all the tests participation alone is made again; the segment was tested at registration.
        if (Programme.tookPart(row, turn.time)) {
            row.advocated.put(friend, Referral.COMPLETED);
            say(turn, "referral.completed", "advocate", view(turn, step), "completed", friend);
            Points.credit(turn, Programme.FRIEND, Programme.REFERRAL_POINTS, "referral-completed");
        } else {
            row.advocated.put(friend, Referral.REJECTED);
            reason = "not-participant";
            say(turn, "referral.rejected", "advocate", view(turn, step), reason, friend);
        }
        turn.send(Kind.RESULT, friend, turn.cause, step.code(), reason);
    }

    private void takeResult(Turn turn, Step step) {
        for (Claim claim : turn.row.claims) {
            if (claim.state == Referral.CONVERTED && claim.advocate.equals(step.sender())) {
                if (step.reason() == null) {
                    claim.state = Referral.COMPLETED;
                    say(turn, "referral.completed", "friend", claim, "completed", null);
                    if (!turn.row.closed) {
                        Points.credit(turn, Programme.FRIEND, Programme.REFERRAL_POINTS, "referral-completed");
                    }
                } else {
                    claim.state = Referral.REJECTED;
                    say(turn, "referral.rejected", "friend", claim, step.reason(), null);
                }
                return;
            }
        }
    }

    private static boolean isCustomer(Account row) {
        return row.isOpen() && row.activatedDay != 0 && row.paidCount > 0;
    }

    private static String friendFault(Turn turn) {
        Account row = turn.row;
        for (Claim claim : row.claims) {
            if (claim.state.compareTo(Referral.ACCEPTED) >= 0) {
                return "already-referred";
            }
        }
        if (row.existingCustomer || row.activatedDay != 0 && row.activatedAt <= turn.time) {
            return "existing-customer";
        }
        if (!Programme.inSegment(row)) {
            return "not-individual";
        }
        return turn.day < Programme.REFERRALS_SINCE ? "programme-not-active" : null;
    }

    private static String claimFault(Turn turn, Step step) {
        Account row = turn.row;
        if (!row.wasOpen(turn.time)) {
            return "unknown-code";
        }
        if (row.advocated.containsKey(step.sender())) {
            return "already-referred";
        }
        for (String test : TESTS) {
            if (test.equals(step.reason())) {
                return test;
            }
            if (test.equals("not-individual") && !Programme.inSegment(row)) {
                return test;
            }
            if (test.equals("not-participant") && !Programme.wasMember(row, turn.time)) {
                return test;
            }
        }
        return null;
    }

    private static void sendClaim(Turn turn, Claim claim) {
        turn.send(Kind.CLAIM, claim.advocate, claim.cause, claim.code, claim.fault);
    }

    private static void nextClaim(Turn turn) {
        boolean referred = false;
        for (Claim claim : turn.row.claims) {
            referred |= claim.state == Referral.ACCEPTED || claim.state == Referral.CONVERTED
                    || claim.state == Referral.COMPLETED;
        }
        for (Iterator<Claim> claims = turn.row.claims.iterator(); claims.hasNext(); ) {
            Claim waiting = claims.next();
            if (waiting.state == Referral.WAITING) {
                waiting.state = Referral.CLAIMED;
                if (referred && (waiting.fault == null
                        || TESTS.indexOf(waiting.fault) > TESTS.indexOf("already-referred"))) {
                    waiting.fault = "already-referred";
                }
                sendClaim(turn, waiting);
                return;
            }
        }
    }

    private static void convert(Turn turn, Claim claim) {
        claim.state = Referral.CONVERTED;
        turn.send(Kind.CONVERSION, claim.advocate, claim.converted, claim.code, null);
    }

    private static Claim view(Turn turn, Step step) {
        Claim claim = new Claim();
        claim.code = step.code();
        claim.advocate = turn.row.id;
        return claim;
    }

    private static void say(Turn turn, String type, String role, Claim claim, String reason, String friend) {
        Bytes data = turn.say(Topic.MEMBERS, type, Programme.FRIEND, reason).ascii(",\"code\":").quoted(claim.code);
        data.ascii(",\"role\":\"").ascii(role).ascii("\",\"advocate\":").quotedOrNull(claim.advocate);
        data.ascii(",\"friend\":").quoted(friend == null ? turn.row.id : friend);
        turn.said();
    }

    /** The account whose genuine code this is; null if it is none of this operator's. */
    private String advocateOf(String typed) {
        String code = typed.strip();
        int first = code.indexOf(':');
        int last = code.lastIndexOf(':');
        if (first <= 0 || last <= first + 1 || !code.substring(0, first).equals(Programme.OPERATOR)) {
            return null;
        }
        String account = code.substring(first + 1, last);
        String given = code.substring(last + 1).toUpperCase(Locale.ROOT)
                .replace('O', '0').replace('I', '1').replace('L', '1').replace('U', 'V');
        text.clear().ascii(Programme.OPERATOR).put(0).put(account.getBytes(StandardCharsets.UTF_8));
        byte[] digest = check.digest(text.array, text.length);
        long number = 0;
        for (byte one : digest) {
            number = number << 8 | one & 0xFF;
        }
        StringBuilder right = new StringBuilder(10);
        for (int place = 0; place < 10; place++) {
            right.append(ALPHABET.charAt((int) (number >>> (5 * place) & 31)));
        }
        return given.contentEquals(right) ? account : null;
    }
}
