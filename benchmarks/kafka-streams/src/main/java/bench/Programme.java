package bench;

import bench.Account.Tariff;
import java.time.LocalDate;

/** The programme of orgtechservice (SPEC 2.1): its numbers, and what a tariff is to its promotions. */
final class Programme {
    static final String OPERATOR = "orgtechservice";
    static final String ZONE = "Europe/Moscow";
    static final int LEVEL_MAXIMUM = 10;
    static final int ACCRUES_FROM_MONTH = 3;
    static final int LATE_DAYS = 35;
    static final int HISTORY_MONTHS = 36;
    static final long REFERRAL_POINTS = 300;
    static final int REFERRALS_SINCE = day(2025, 8, 1);
    static final int SUMMER_SIGNED_SINCE = day(2025, 8, 1);
    static final int SUMMER_SIGNED_UNTIL = day(2025, 9, 30);
    static final int SUMMER_UNTIL = day(2025, 12, 31);
    static final int SUMMER_MONTHS = 3;
    static final int ULTRA_SINCE = day(2022, 10, 10);
    static final int HALF_YEAR_MONTHS = 6;

    static final String LOYALTY = "loyalty";
    static final String FRIEND = "bring-a-friend";
    static final String SUMMER = "summer-2025";
    static final String ULTRA = "ultra-half-price";
    static final String HALF_YEAR = "half-year";
    static final String NIGHT = "night-boost";
    static final String LEGACY = "legacy-discount";
    static final String BOUGHT = "loyalty-full";

    private Programme() {}

    private static int day(int year, int month, int day) {
        return (int) LocalDate.of(year, month, day).toEpochDay() + Calendar.EPOCH;
    }

    static boolean inSegment(Account row) {
        return "individual".equals(row.segment);
    }

    static boolean participates(Account row) {
        return row.participant && row.opened;
    }

    static boolean isMember(Account row) {
        return row.isOpen() && inSegment(row) && participates(row);
    }

    /** Whether the account is a member, and was by {@code time}. */
    static boolean wasMember(Account row, long time) {
        return inSegment(row) && tookPart(row, time);
    }

    /** Whether the account is open and participates, and did by {@code time}; its segment is another question. */
    static boolean tookPart(Account row, long time) {
        return row.wasOpen(time) && participates(row);
    }

    static boolean isUltra(Tariff tariff) {
        return tariff != null && tariff.family().equals("Ultra");
    }

    static boolean isHalfYearTariff(Tariff tariff) {
        if (tariff == null) {
            return false;
        }
        return tariff.family().equals("Turbo")
                || tariff.family().equals("Unlim") && tariff.speed() >= 20 && tariff.speed() <= 100;
    }

    /** As in {@link Account#nightBoost}. */
    static int nightBoost(Tariff tariff) {
        if (tariff == null) {
            return 0;
        }
        return tariff.family().equals("Unlim") ? 1 : tariff.family().equals("Turbo") ? 2 : 0;
    }

    static boolean isLabinsk(String city) {
        if (city == null) {
            return false;
        }
        String given = city.strip().toLowerCase(java.util.Locale.ROOT);
        return given.equals("labinsk") || given.equals("лабинск");
    }
}
