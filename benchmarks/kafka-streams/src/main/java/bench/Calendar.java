package bench;

import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.zone.ZoneRules;
import java.util.Arrays;

/**
 * Days, months and midnights of one zone, on integers: instants in microseconds since the epoch, days as
 * proleptic ordinals (1 January of year 1 is 1), months as year * 12 + month - 1.
 */
final class Calendar {
    static final long DAY = 86_400_000_000L;
    static final int EPOCH = 719_163;
    private static final int DAYS = 84_010;
    private static final int UNKNOWN = Integer.MIN_VALUE;
    private static final int MIXED = Integer.MAX_VALUE;

    private final ZoneId zone;
    private final ZoneRules rules;
    private final int[] offsets = new int[DAYS];
    private final long[] midnights = new long[DAYS];
    private final int[] months = new int[DAYS];
    private final String[] isos = new String[DAYS];

    Calendar(String name) {
        zone = ZoneId.of(name);
        rules = zone.getRules();
        Arrays.fill(offsets, UNKNOWN);
        Arrays.fill(midnights, Long.MIN_VALUE);
    }

    /** The local day of an instant. */
    int day(long time) {
        return (int) Math.floorDiv(time + offset(time) * 1_000_000L, DAY) + EPOCH;
    }

    /** The instant of 00:00 local of a day. */
    long midnight(int day) {
        int at = day - EPOCH;
        if (at < 0 || at >= DAYS) {
            return computedMidnight(day);
        }
        long found = midnights[at];
        return found == Long.MIN_VALUE ? midnights[at] = computedMidnight(day) : found;
    }

    private long computedMidnight(int day) {
        LocalDate date = LocalDate.ofEpochDay(day - EPOCH);
        return date.atStartOfDay(zone).toEpochSecond() * 1_000_000L;
    }

    /** RFC 3339 with the zone's offset, appended to {@code out}. */
    void text(long time, Bytes out) {
        int offset = offset(time);
        long local = time + offset * 1_000_000L;
        int day = (int) Math.floorDiv(local, DAY);
        long rest = Math.floorMod(local, DAY);
        int seconds = (int) (rest / 1_000_000L);
        int fraction = (int) (rest % 1_000_000L);
        out.ascii(iso(day + EPOCH)).put('T').two(seconds / 3600).put(':').two(seconds / 60 % 60).put(':').two(seconds % 60);
        if (fraction != 0) {
            out.put('.');
            for (int unit = 100_000; unit > 0; unit /= 10) {
                out.put('0' + fraction / unit % 10);
            }
        }
        int minutes = Math.abs(offset) / 60;
        out.put(offset < 0 ? '-' : '+').two(minutes / 60).put(':').two(minutes % 60);
    }

    private int offset(long time) {
        int at = (int) Math.floorDiv(time, DAY);
        if (at < 0 || at >= DAYS) {
            return offsetAt(time);
        }
        int offset = offsets[at];
        if (offset == UNKNOWN) {
            int first = offsetAt(at * DAY);
            offset = offsets[at] = first == offsetAt(at * DAY + DAY - 1) ? first : MIXED;
        }
        return offset == MIXED ? offsetAt(time) : offset;
    }

    private int offsetAt(long time) {
        return rules.getOffset(Instant.ofEpochSecond(Math.floorDiv(time, 1_000_000L))).getTotalSeconds();
    }

    String iso(int day) {
        int at = day - EPOCH;
        if (at < 0 || at >= DAYS) {
            return LocalDate.ofEpochDay(at).toString();
        }
        String found = isos[at];
        return found == null ? isos[at] = LocalDate.ofEpochDay(at).toString() : found;
    }

    int monthOf(int day) {
        int at = day - EPOCH;
        if (at >= 0 && at < DAYS && months[at] != 0) {
            return months[at];
        }
        LocalDate date = LocalDate.ofEpochDay(at);
        int month = date.getYear() * 12 + date.getMonthValue() - 1;
        if (at >= 0 && at < DAYS) {
            months[at] = month;
        }
        return month;
    }

    static int firstDay(int month) {
        return (int) LocalDate.of(month / 12, month % 12 + 1, 1).toEpochDay() + EPOCH;
    }

    /** Day {@code number} of a month, clamped to its end. */
    static int dayIn(int month, int number) {
        LocalDate first = LocalDate.of(month / 12, month % 12 + 1, 1);
        return (int) first.toEpochDay() + EPOCH + Math.min(number, first.lengthOfMonth()) - 1;
    }

    static int addMonths(int day, int months) {
        return (int) LocalDate.ofEpochDay(day - EPOCH).plusMonths(months).toEpochDay() + EPOCH;
    }

    static int dayOfMonth(int day) {
        return LocalDate.ofEpochDay(day - EPOCH).getDayOfMonth();
    }
}
