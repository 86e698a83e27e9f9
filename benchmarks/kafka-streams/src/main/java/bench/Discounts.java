package bench;

import bench.Account.Discount;
import bench.Account.Past;
import bench.Turn.Topic;
import java.util.ArrayList;

/** Discounts and the night boost: granted, changed, refused, ended. All are one exclusion group. */
final class Discounts {
    static final String EXCLUSIVE = "exclusive-discount";
    static final String TARIFF_CHANGED = "tariff-changed";
    private static final int PAST_KEPT = 24;

    private Discounts() {}

    static Discount covering(Account row, int day) {
        for (Discount discount : row.discounts) {
            if (discount.covers(day)) {
                return discount;
            }
        }
        return null;
    }

    /** The one of a rule that lasts longest. */
    static Discount ofRule(Account row, String rule) {
        Discount found = null;
        for (Discount discount : row.discounts) {
            if (discount.rule.equals(rule) && (found == null || end(discount) > end(found))) {
                found = discount;
            }
        }
        return found;
    }

    private static int end(Discount discount) {
        return discount.lastDay == 0 ? Integer.MAX_VALUE : discount.lastDay;
    }

    static void grant(Turn turn, Discount discount, String reason) {
        if (covering(turn.row, discount.firstDay) != null) {
            refuse(turn, discount, EXCLUSIVE);
            return;
        }
        turn.row.discounts.add(discount);
        say(turn, "discount.granted", discount, reason, turn.calendar.iso(discount.firstDay));
    }

    static void refuse(Turn turn, Discount discount, String reason) {
        say(turn, "discount.refused", discount, reason, "");
    }

    static void extend(Turn turn, Discount discount, String reason, int lastDay) {
        if (lastDay != discount.lastDay) {
            discount.lastDay = lastDay;
            say(turn, "discount.changed", discount, reason, turn.calendar.iso(discount.firstDay));
        }
    }

    static void end(Turn turn, Discount discount, String reason) {
        Account row = turn.row;
        row.discounts.remove(discount);
        long again = row.pastDiscounts.stream()
                .filter(past -> past.rule().equals(discount.rule) && past.firstDay() == discount.firstDay
                        && past.lastDay() == discount.lastDay && past.ended() == turn.day)
                .count(); // a late grant can end at the moment of another one that had the same days
        if (row.pastDiscounts.size() == PAST_KEPT) {
            row.pastDiscounts.remove(0);
        }
        row.pastDiscounts.add(new Past(
                discount.rule, discount.percent, discount.firstDay, discount.lastDay, turn.day, reason));
        String position = turn.calendar.iso(discount.firstDay) + "/" + discount.lastDay
                + (again > 0 ? "/" + again : "");
        say(turn, "discount.ended", discount, reason, position);
    }

    static void endDue(Turn turn) {
        if (turn.row.discounts.isEmpty()) {
            return;
        }
        for (Discount discount : new ArrayList<>(turn.row.discounts)) {
            if (discount.lastDay != 0 && turn.calendar.midnight(discount.lastDay + 1) <= turn.time) {
                end(turn, discount, "expired");
            }
        }
    }

    static long nextDue(Calendar calendar, Account row) {
        int last = 0;
        for (Discount discount : row.discounts) {
            if (discount.lastDay != 0 && (last == 0 || discount.lastDay < last)) {
                last = discount.lastDay;
            }
        }
        return last == 0 ? Account.NEVER : calendar.midnight(last + 1);
    }

    private static void say(Turn turn, String type, Discount discount, String reason, String position) {
        Bytes data = turn.say(
                Topic.DISCOUNTS, type, discount.rule, reason, turn.newId(type, discount.rule, position));
        data.ascii(",\"discount\":\"").ascii(discount.rule).ascii("\",\"percent\":").number(discount.percent);
        data.ascii(",\"target\":\"internet\",\"first_day\":\"").ascii(turn.calendar.iso(discount.firstDay));
        data.ascii("\",\"last_day\":");
        if (discount.lastDay == 0) {
            data.ascii("null");
        } else {
            data.put('"').ascii(turn.calendar.iso(discount.lastDay)).put('"');
        }
        turn.said();
    }

    static void boost(Turn turn, int terms) {
        if (terms == 0) {
            endBoost(turn, TARIFF_CHANGED);
        } else if (turn.row.nightBoost != terms) {
            turn.row.nightBoost = terms;
            sayBoost(turn, "entitlement.granted", "tariff", terms);
        }
    }

    static void endBoost(Turn turn, String reason) {
        int terms = turn.row.nightBoost;
        if (terms != 0) {
            turn.row.nightBoost = 0;
            sayBoost(turn, "entitlement.ended", reason, terms);
        }
    }

    private static void sayBoost(Turn turn, String type, String reason, int terms) {
        turn.say(Topic.DISCOUNTS, type, Programme.NIGHT, reason)
                .ascii(",\"entitlement\":\"night-boost\",\"window\":[\"01:00\",\"09:00\"],\"counts_to_quota\":")
                .ascii(terms == 1 ? "true" : "false");
        turn.said();
    }
}
