package bench;

import bench.Account.Discount;
import bench.Account.Lot;
import bench.Turn.Topic;
import java.math.RoundingMode;
import java.util.List;

/** Requests of members and staff, tested in the order of SPEC section 4, then carried out or rejected. */
final class Requests {
    private Requests() {}

    /** What no programme takes as a record, whatever the account. */
    static void check(Event event) throws Unreadable {
        if (event.type.equals("points.redeem-requested") && event.reward.equals("turbo") && event.amount == null) {
            throw new Unreadable("missing-field", "data.amount: reward 'turbo' takes one");
        }
        if (event.type.equals("legacy-discount.converted") && event.percent > Programme.LEVEL_MAXIMUM) {
            throw new Unreadable("malformed-field", "data.percent: it becomes the level");
        }
    }

    static void handle(Turn turn, Event event) {
        String reason = refusal(turn.row, event);
        if (reason == null) {
            reason = switch (event.type) {
                case "points.redeem-requested" -> redeem(turn, event);
                case "points.gift-requested" -> event.to.equals(turn.row.id) ? "self-gift" : "not-transferable";
                case "points.adjusted" -> adjust(turn, event);
                default -> extend(turn, event);
            };
        }
        if (reason != null) {
            turn.say(Topic.MEMBERS, "request.rejected", rule(event.type), reason)
                    .ascii(",\"request\":\"").ascii(event.type).put('"');
            turn.said();
        }
    }

    private static String refusal(Account row, Event event) {
        if (!row.isOpen()) {
            return "unknown-account";
        }
        switch (event.type) {
            case "points.adjusted", "discount.extended":
                return null;
            case "tariff.change-requested":
                return "programme-not-active";
            default:
                break;
        }
        if (!Programme.inSegment(row)) {
            return "not-individual";
        }
        boolean lacksTariff = event.type.equals("points.redeem-requested") && event.reward.equals("full-discount")
                && (row.billingDay == 0 || !Billing.isMonthly(row));
        if (!Programme.participates(row) || lacksTariff) {
            return "not-participant";
        }
        return event.type.equals("goal.set") ? "programme-not-active" : null;
    }

    private static String rule(String type) {
        return switch (type) {
            case "points.redeem-requested", "points.gift-requested" -> Programme.LOYALTY;
            case "points.adjusted" -> "adjustment";
            default -> type.replace('.', '-');
        };
    }

    private static String redeem(Turn turn, Event event) {
        switch (event.reward) {
            case "turbo":
                return spend(turn, event, event.amount.setScale(0, RoundingMode.CEILING).longValue());
            case "full-discount":
                break;
            default:
                return "unknown-reward";
        }
        Account row = turn.row;
        int index = Billing.nextIndex(turn.calendar, row, turn.day);
        int first = Billing.dateOf(row, index);
        int last = Billing.dateOf(row, index + 1) - 1;
        if (Discounts.covering(row, first) != null) {
            return Discounts.EXCLUSIVE;
        }
        String refusal = spend(turn, event, row.tariff.price().setScale(0, RoundingMode.CEILING).longValue());
        if (refusal == null) {
            Discounts.grant(turn, new Discount(Programme.BOUGHT, 100, first, last), "redeemed");
        }
        return refusal;
    }

    private static String spend(Turn turn, Event event, long points) {
        Account row = turn.row;
        if (row.balance < points) {
            return "insufficient-points";
        }
        if (points > 0) {
            List<Lot> taken = Points.take(row, points);
            Bytes data = turn.say(Topic.POINTS, "points.redeemed", Programme.LOYALTY, "redeemed");
            Points.debit(data, points, row.balance, taken).ascii(",\"reward\":").quoted(event.reward);
            if (event.to != null && event.reward.equals("turbo")) {
                data.ascii(",\"to\":").quoted(event.to);
            }
            turn.said();
        }
        return null;
    }

    private static String adjust(Turn turn, Event event) {
        if (event.points >= 0) {
            Points.credit(turn, "adjustment", event.points, event.reason);
            return null;
        }
        if (turn.row.balance < -event.points) {
            return "insufficient-points";
        }
        Points.reverse(turn, "adjustment", -event.points, event.reason);
        return null;
    }

    private static String extend(Turn turn, Event event) {
        Discount discount = Discounts.ofRule(turn.row, event.rule);
        if (discount == null) {
            return "promotion-over";
        }
        Discounts.extend(turn, discount, event.reason, event.lastDay);
        return null;
    }
}
