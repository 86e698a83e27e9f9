package bench;

import bench.Account.Discount;
import bench.Account.Payment;
import bench.Account.Step;
import bench.Turn.Topic;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Billing dates, the payments that count for them, and the level that they raise. */
final class Billing {
    private static final BigDecimal HUNDRED = BigDecimal.valueOf(100);

    private Billing() {}

    static void start(Calendar calendar, Account row, int day, int billingDay) {
        row.billingDay = billingDay;
        row.billingMonth = calendar.monthOf(day);
        if (Calendar.dayIn(row.billingMonth, billingDay) <= day) {
            row.billingMonth++;
        }
        row.billingNext = 0;
        // Nearly always 0; an activation that arrives late may find payments made after it.
        row.payments.replaceAll(p -> new Payment(p.key(), nextIndex(calendar, row, p.day()), p.months(), p.day()));
    }

    static int dateOf(Account row, int index) {
        return Calendar.dayIn(row.billingMonth + index, row.billingDay);
    }

    static int nextIndex(Calendar calendar, Account row, int day) {
        int index = Math.max(calendar.monthOf(day) - row.billingMonth, 0);
        return dateOf(row, index) <= day ? index + 1 : index;
    }

    private static boolean isCovered(Account row, int index) {
        for (int i = row.payments.size() - 1; i >= 0; i--) {
            if (row.payments.get(i).covers(index)) {
                return true;
            }
        }
        return false;
    }

    /** Record a payment; what it would have changed had it come in time is for {@link #putRight}. */
    static Payment pay(Turn turn, long key, int months) {
        Account row = turn.row;
        int first = row.billingDay == 0 ? -1 : nextIndex(turn.calendar, row, turn.day);
        Payment payment = new Payment(key, first, months, turn.day);
        row.payments.add(payment);
        row.paidCount++;
        if (first >= 0) {
            int oldest = row.billingNext - Programme.HISTORY_MONTHS;
            Payment eldest = row.payments.get(0);
            if (oldest > 0 && eldest.first() + eldest.months() <= oldest) {
                row.payments.removeIf(p -> p.first() + p.months() <= oldest);
            }
        }
        return payment;
    }

    static boolean isLate(Account row, Payment payment) {
        return payment.first() >= 0 && payment.first() < row.billingNext;
    }

    /** Put right the dates judged without a payment that arrives late, and that brought these discounts. */
    static void putRight(Turn turn, Payment payment, List<Discount> brought) {
        Account row = turn.row;
        int today = turn.calendar.day(Math.max(row.clock, turn.time));
        int first = -1;
        for (Step step : row.steps) {
            if (step.kind == Account.BILLING && !step.paid && payment.covers(step.index)
                    && today - step.day <= Programme.LATE_DAYS) {
                step.paid = true;
                first = first < 0 ? step.index : first;
            }
        }
        if (first < 0) {
            return;
        }
        int level = row.levelBase;
        long missing = 0;
        for (Step step : row.steps) {
            level = after(step, level);
            if (step.kind == Account.BILLING && step.index >= first) {
                for (Discount discount : brought) {
                    step.accrues &= !discount.covers(step.day); // as it would have been in time
                }
                long points = points(step, level);
                if (points > step.credited) {
                    missing += points - step.credited;
                    step.credited = points;
                }
            }
        }
        setLevel(turn, level, "late-arrival");
        Points.credit(turn, Programme.LOYALTY, missing, "late-arrival");
    }

    static void refund(Turn turn, String source, String id) {
        Account row = turn.row;
        long key = Hash.paymentKey(source, id);
        Payment payment = find(row, key, -1L);
        if (payment == null) {
            payment = find(row, key, Hash.ID_BITS);
        }
        if (payment == null) {
            row.refunded.put(key, turn.time);
            return;
        }
        row.payments.remove(payment);
        row.paidCount--;
        if (payment.first() < 0) {
            return;
        }
        long reversed = 0;
        List<Step> touched = new ArrayList<>();
        for (Step step : row.steps) {
            if (step.kind == Account.BILLING && step.paid && !step.bought && payment.covers(step.index)
                    && !isCovered(row, step.index)) {
                step.paid = false;
                touched.add(step);
                reversed += step.credited;
            }
        }
        if (!touched.isEmpty()) {
            int level = row.levelBase;
            for (Step step : row.steps) {
                level = after(step, level);
            }
            setLevel(turn, level, "payment-refunded");
            long taken = Points.reverse(turn, Programme.LOYALTY, reversed, "payment-refunded");
            Collections.reverse(touched); // what was spent was the points of the first ones
            for (Step step : touched) {
                long part = Math.min(step.credited, taken);
                step.credited -= part;
                taken -= part;
            }
        }
    }

    private static Payment find(Account row, long key, long mask) {
        for (Payment payment : row.payments) {
            if ((payment.key() & mask) == (key & mask)) {
                return payment;
            }
        }
        return null;
    }

    static boolean wasRefunded(Account row, long key) {
        for (long refunded : row.refunded.keySet()) {
            if ((refunded & Hash.ID_BITS) == (key & Hash.ID_BITS)) {
                return true;
            }
        }
        return false;
    }

    static void judgeDue(Turn turn) {
        Account row = turn.row;
        while (row.billingDay != 0 && turn.calendar.midnight(dateOf(row, row.billingNext)) <= turn.time) {
            int index = row.billingNext++;
            if (!row.closed && Programme.inSegment(row) && Programme.participates(row) && isMonthly(row)) {
                judge(turn, index);
            }
        }
    }

    static boolean isMonthly(Account row) {
        return row.tariff != null && row.tariff.price() != null;
    }

    private static void judge(Turn turn, int index) {
        Account row = turn.row;
        Step step = new Step();
        step.kind = Account.BILLING;
        step.day = turn.day;
        step.index = index;
        step.bought = row.discounts.stream()
                .anyMatch(d -> d.firstDay == turn.day && d.rule.equals(Programme.BOUGHT));
        step.paid = step.bought || isCovered(row, index);
        step.blocked = row.blocks != 0;
        step.accrues = index + 2 >= Programme.ACCRUES_FROM_MONTH && Discounts.covering(row, turn.day) == null;
        step.price = row.tariff.price();
        setLevel(turn, after(step, row.level), step.paid ? "on-time-payment" : "missed-payment");
        step.credited = points(step, row.level);
        row.steps.add(step);
        Points.credit(turn, Programme.LOYALTY, step.credited, "billing-day");
        shorten(row);
    }

    private static int after(Step step, int level) {
        if (step.kind == Account.SET) {
            return step.level;
        }
        if (!step.paid) {
            return 0;
        }
        return step.blocked ? level : Math.min(level + 1, Programme.LEVEL_MAXIMUM);
    }

    private static long points(Step step, int level) {
        if (!step.accrues || !step.paid || step.blocked || step.price == null) {
            return 0;
        }
        return step.price.multiply(BigDecimal.valueOf(level)).divide(HUNDRED, 0, RoundingMode.FLOOR).longValue();
    }

    static void putLevel(Turn turn, int level, String reason) {
        Account row = turn.row;
        if (level == row.level && row.steps.isEmpty()) {
            return;
        }
        int last = row.steps.size() - 1;
        if (last >= 0 && row.steps.get(last).kind == Account.SET) {
            row.steps.remove(last); // without a date between them only the last one counts
        }
        Step step = new Step();
        step.kind = Account.SET;
        step.day = turn.day;
        step.level = level;
        row.steps.add(step);
        setLevel(turn, level, reason);
        shorten(row);
    }

    private static void setLevel(Turn turn, int level, String reason) {
        Account row = turn.row;
        if (level == row.level) {
            return;
        }
        int before = row.level;
        row.level = level;
        turn.say(Topic.MEMBERS, "level.changed", Programme.LOYALTY, reason)
                .ascii(",\"from\":").number(before).ascii(",\"to\":").number(level);
        turn.said();
    }

    private static void shorten(Account row) {
        while (row.steps.size() > Programme.HISTORY_MONTHS && dates(row) > Programme.HISTORY_MONTHS) {
            row.levelBase = after(row.steps.remove(0), row.levelBase);
        }
    }

    private static long dates(Account row) {
        return row.steps.stream().filter(step -> step.kind == Account.BILLING).count();
    }

    static long nextDue(Calendar calendar, Account row) {
        return row.billingDay == 0 ? Account.NEVER : calendar.midnight(dateOf(row, row.billingNext));
    }
}
