package bench;

import bench.Account.Cause;
import bench.Account.Discount;
import bench.Account.Payment;
import bench.Account.Seen;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** An event, a step or a due moment meets a row, and this follows. Turns are handed on as they are done. */
final class Engine {
    private static final long HORIZON = 45 * Calendar.DAY;
    private static final int SWEEP_AT = 8;
    private static final String CLOSED = "account-closed";

    /** What is done with a turn: it is written before the next one begins. */
    interface Writer {
        void due(Turn turn);

        void caused(Turn turn);
    }

    private final Calendar calendar;
    private final Turn turn;
    private final Referrals referrals;
    private final Writer writer;
    private final Bytes text = new Bytes(64);

    Engine(String revision, byte[] codeKey, Writer writer) {
        calendar = new Calendar(Programme.ZONE);
        turn = new Turn(calendar, revision);
        referrals = new Referrals(codeKey);
        this.writer = writer;
    }

    /** Whether the event is a duplicate; one that contradicts what is known is refused. */
    boolean refuse(Account row, Event event, long identity, long content) throws Unreadable {
        if (event.time < row.clock - HORIZON) {
            throw new Unreadable("too-old", "time: more than 45 days older than the account's clock");
        }
        Seen known = row.seen.get(identity);
        if (known != null && known.time() >= Math.max(row.clock, event.time) - HORIZON) {
            if (known.content() != content) {
                throw new Unreadable("identity-conflict", "id: applied before with other content");
            }
            return true;
        }
        Requests.check(event);
        return false;
    }

    void apply(Account row, Event event, long identity, long content) {
        due(row, event.time);
        turn.begin(row, new Cause(row.id, event.source, event.id, event.time));
        remember(row, identity, content, event.time);
        handle(event);
        finish(row);
    }

    void apply(Account row, Referrals.Step step) {
        long identity = step.identity();
        if (row.seen.containsKey(identity)) {
            return;
        }
        due(row, step.cause().time());
        turn.begin(row, step.cause());
        remember(row, identity, 0, Math.max(step.cause().time(), row.clock));
        referrals.apply(turn, step);
        finish(row);
    }

    /** Let the row's next due moment act. */
    void act(Account row) {
        long moment = row.nextDue;
        text.clear().ascii("due/");
        calendar.text(moment, text);
        String id = new String(text.array, 0, text.length, StandardCharsets.US_ASCII);
        turn.begin(row, new Cause(row.id, "", id, moment));
        boolean fresh = moment > row.clock;
        Discounts.endDue(turn);
        Billing.judgeDue(turn);
        if (fresh) {
            row.clock = moment;
        }
        lookAhead(row);
        writer.due(turn);
    }

    private void due(Account row, long until) {
        while (row.nextDue <= until) {
            act(row);
        }
    }

    private void finish(Account row) {
        row.clock = Math.max(row.clock, turn.time);
        lookAhead(row);
        writer.caused(turn);
        due(row, row.clock);
    }

    private void lookAhead(Account row) {
        row.nextDue = row.closed
                ? Account.NEVER
                : Math.min(Discounts.nextDue(calendar, row), Billing.nextDue(calendar, row));
    }

    private static void remember(Account row, long identity, long content, long time) {
        row.seen.put(identity, new Seen(content, time));
        int size = row.seen.size();
        if (size >= SWEEP_AT && (size & (size - 1)) == 0) {
            long horizon = Math.max(row.clock, time) - HORIZON;
            row.seen.values().removeIf(seen -> seen.time() < horizon);
            row.refunded.values().removeIf(refunded -> refunded < horizon);
        }
    }

    private void handle(Event event) {
        Account row = turn.row;
        switch (event.type) {
            case "points.redeem-requested", "points.gift-requested", "points.adjusted", "discount.extended",
                    "goal.set", "tariff.change-requested" -> Requests.handle(turn, event);
            case "referral.code-registered" -> referrals.register(turn, event.code);
            default -> {
                if (!row.closed) {
                    live(row, event);
                }
            }
        }
    }

    private void live(Account row, Event event) {
        switch (event.type) {
            case "payment.received" -> pay(row, event);
            case "payment.refunded" -> Billing.refund(turn, event.source, event.payment);
            case "account.opened" -> {
                row.opened = true;
                row.openedAt = Math.min(row.openedAt, turn.time);
                row.segment = event.segment;
                row.dwelling = event.dwelling != null ? event.dwelling : row.dwelling;
                row.city = event.city != null ? event.city : row.city;
                row.signedOn = event.signedOn != 0 ? event.signedOn : row.signedOn;
                row.existingCustomer = event.existingCustomer;
                row.participant = event.participant;
            }
            case "service.activated" -> activate(row, event);
            case "tariff.changed" -> {
                if (row.activatedDay != 0) {
                    Promotions.putTariff(turn, event.tariff);
                }
            }
            case "service.blocked" -> {
                row.blocks |= bit(event.kind);
                Billing.putLevel(turn, 0, "blocked");
            }
            case "service.unblocked" -> row.blocks &= ~bit(event.kind);
            case "legacy-discount.converted" -> convert(row, event);
            case "account.closed" -> close(row);
            default -> { }
        }
    }

    private static int bit(String kind) {
        return switch (kind) {
            case "debt" -> 1;
            case "voluntary" -> 2;
            default -> 4;
        };
    }

    private void pay(Account row, Event event) {
        if (!event.service.equals("internet")) {
            return;
        }
        long key = Hash.paymentKey(event.source, event.id);
        if (Billing.wasRefunded(row, key)) {
            return;
        }
        Payment payment = Billing.pay(turn, key, event.months);
        referrals.noticeConversion(turn);
        int held = row.discounts.size();
        if (row.activatedDay != 0) {
            Promotions.onPayment(turn, payment);
        }
        if (Billing.isLate(row, payment)) {
            List<Discount> brought = row.discounts.subList(held, row.discounts.size());
            Billing.putRight(turn, payment, brought);
        }
    }

    private void activate(Account row, Event event) {
        if (!event.service.equals("internet")) {
            return;
        }
        row.feasibleUltra = event.feasibleUltra < 0 ? row.feasibleUltra : event.feasibleUltra == 1;
        if (row.activatedDay != 0) {
            Promotions.putTariff(turn, event.tariff);
            return;
        }
        row.activatedAt = turn.time;
        row.activatedDay = turn.day;
        row.tariff = event.tariff;
        int billingDay = event.billingDay != 0 ? event.billingDay : Calendar.dayOfMonth(turn.day);
        Billing.start(calendar, row, turn.day, billingDay);
        referrals.noticeConversion(turn);
        Promotions.onActivation(turn);
    }

    private void convert(Account row, Event event) {
        Discount old = Discounts.ofRule(row, Programme.LEGACY);
        if (old != null) {
            row.discounts.remove(old);
        }
        row.discounts.add(new Discount(Programme.LEGACY, event.percent, turn.day, event.lastDay));
        if (Programme.isMember(row) && (row.tariff == null || row.tariff.price() != null)) {
            Billing.putLevel(turn, event.percent, "converted");
        }
    }

    private void close(Account row) {
        row.closed = true;
        Billing.putLevel(turn, 0, CLOSED);
        for (Discount discount : new ArrayList<>(row.discounts)) {
            Discounts.end(turn, discount, CLOSED);
        }
        Discounts.endBoost(turn, CLOSED);
        Points.expireAll(turn, CLOSED);
    }
}
