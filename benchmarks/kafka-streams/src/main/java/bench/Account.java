package bench;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Everything that is known of one account: one row of the store. Days are ordinals with 0 for none. */
final class Account {
    static final long NEVER = 1L << 62;
    static final int BILLING = 0;
    static final int SET = 1;

    record Tariff(String code, String family, int speed, BigDecimal price, boolean prepaid, int notice) {}

    /** The full identity of what an outcome follows from; {@code source} is empty for a due moment. */
    record Cause(String subject, String source, String id, long time) {}

    record Seen(long content, long time) {}

    record Payment(long key, int first, int months, int day) {
        boolean covers(int index) {
            return first <= index && index < first + months;
        }
    }

    record Past(String rule, int percent, int firstDay, int lastDay, int ended, String reason) {}

    static final class Discount {
        String rule;
        int percent;
        int firstDay;
        int lastDay;

        Discount(String rule, int percent, int firstDay, int lastDay) {
            this.rule = rule;
            this.percent = percent;
            this.firstDay = firstDay;
            this.lastDay = lastDay;
        }

        boolean covers(int day) {
            return firstDay <= day && (lastDay == 0 || day <= lastDay);
        }
    }

    /** One step in the history of the level: a billing date that was judged, or the level put to a value. */
    static final class Step {
        int kind;
        int day;
        int index;
        boolean paid;
        boolean blocked;
        boolean accrues;
        boolean bought;
        int level;
        long credited;
        BigDecimal price;
    }

    static final class Lot {
        final String id;
        long points;

        Lot(String id, long points) {
            this.id = id;
            this.points = points;
        }
    }

    enum Referral { WAITING, CLAIMED, ACCEPTED, CONVERTED, COMPLETED, REJECTED }

    static final class Claim {
        Referral state = Referral.CLAIMED;
        String code;
        String advocate;
        Cause cause;
        String fault;
        Cause converted;
    }

    final String id;

    Account(String id) {
        this.id = id;
    }

    long clock = -NEVER;
    long nextDue = NEVER;
    Map<Long, Seen> seen = new HashMap<>(4);
    boolean opened;
    long openedAt = NEVER;
    boolean closed;
    String segment;
    String dwelling;
    String city;
    int signedOn;
    boolean existingCustomer;
    boolean participant = true;
    long activatedAt = -NEVER;
    int activatedDay;
    boolean feasibleUltra;
    Tariff tariff;
    int blocks;
    int billingDay;
    int billingMonth;
    int billingNext;
    List<Payment> payments = new ArrayList<>(2);
    int paidCount;
    Map<Long, Long> refunded = new HashMap<>(2);
    int level;
    int levelBase;
    List<Step> steps = new ArrayList<>(2);
    List<Lot> lots = new ArrayList<>(1);
    long balance;
    List<Discount> discounts = new ArrayList<>(1);
    List<Past> pastDiscounts = new ArrayList<>(0);
    /** 0: no night boost, 1: it counts to the quota, 2: it does not. */
    int nightBoost;
    List<Claim> claims = new ArrayList<>(0);
    Map<String, Referral> advocated = new LinkedHashMap<>(2);

    boolean isOpen() {
        return opened && !closed;
    }

    /** Open, and opened by {@code time}: what another account sent then may come long after it. */
    boolean wasOpen(long time) {
        return openedAt <= time && !closed;
    }
}
