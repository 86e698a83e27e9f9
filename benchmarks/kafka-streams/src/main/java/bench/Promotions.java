package bench;

import bench.Account.Discount;
import bench.Account.Payment;
import bench.Account.Tariff;
import java.util.ArrayList;

/** Which discounts and entitlements an activation, a tariff or a payment brings. */
final class Promotions {
    private Promotions() {}

    static void onActivation(Turn turn) {
        summer(turn);
        ultra(turn);
        for (Payment payment : turn.row.payments) {
            if (payment.months() >= Programme.HALF_YEAR_MONTHS) {
                halfYear(turn, payment);
                break;
            }
        }
        Discounts.boost(turn, Programme.nightBoost(turn.row.tariff));
    }

    static void onPayment(Turn turn, Payment payment) {
        if (payment.months() >= Programme.HALF_YEAR_MONTHS) {
            halfYear(turn, payment);
        }
    }

    static void putTariff(Turn turn, Tariff tariff) {
        Account row = turn.row;
        Tariff before = row.tariff;
        row.tariff = tariff;
        boolean other = before == null || !before.code().equals(tariff.code())
                || !before.family().equals(tariff.family()) || before.speed() != tariff.speed();
        for (Discount discount : row.discounts.isEmpty() ? row.discounts : new ArrayList<>(row.discounts)) {
            boolean leaves = switch (discount.rule) {
                case Programme.ULTRA -> !Programme.isUltra(tariff);
                case Programme.HALF_YEAR -> !Programme.isHalfYearTariff(tariff);
                case Programme.BOUGHT -> other;
                default -> false;
            };
            if (leaves) {
                Discounts.end(turn, discount, Discounts.TARIFF_CHANGED);
            }
        }
        if (Discounts.ofRule(row, Programme.ULTRA) == null) {
            ultra(turn);
        }
        Discounts.boost(turn, Programme.nightBoost(tariff));
    }

    private static void summer(Turn turn) {
        Account row = turn.row;
        if (!"apartment".equals(row.dwelling) || row.existingCustomer
                || row.signedOn < Programme.SUMMER_SIGNED_SINCE || row.signedOn > Programme.SUMMER_SIGNED_UNTIL) {
            return;
        }
        int last = Math.min(Calendar.addMonths(turn.day, Programme.SUMMER_MONTHS) - 1, Programme.SUMMER_UNTIL);
        Discount discount = new Discount(Programme.SUMMER, 50, turn.day, last);
        if (turn.day > Programme.SUMMER_UNTIL) {
            discount.lastDay = 0;
            Discounts.refuse(turn, discount, "promotion-over");
        } else {
            Discounts.grant(turn, discount, "activation");
        }
    }

    private static void ultra(Turn turn) {
        Account row = turn.row;
        if ("house".equals(row.dwelling) && row.feasibleUltra && Programme.isUltra(row.tariff)
                && turn.day >= Programme.ULTRA_SINCE && Programme.isLabinsk(row.city)) {
            Discounts.grant(turn, new Discount(Programme.ULTRA, 50, turn.day, 0), "tariff");
        }
    }

    private static void halfYear(Turn turn, Payment payment) {
        Account row = turn.row;
        if ("apartment".equals(row.dwelling) && Programme.isHalfYearTariff(row.tariff)) {
            int first = Billing.dateOf(row, payment.first());
            int last = Billing.dateOf(row, payment.first() + 6) - 1;
            Discounts.grant(turn, new Discount(Programme.HALF_YEAR, 20, first, last), "payment");
        }
    }
}
