package bench;

import bench.Account.Cause;
import bench.Account.Claim;
import bench.Account.Discount;
import bench.Account.Lot;
import bench.Account.Past;
import bench.Account.Payment;
import bench.Account.Referral;
import bench.Account.Seen;
import bench.Account.Step;
import bench.Account.Tariff;
import java.math.BigDecimal;

/** A row as compact bytes: varints, a version first, the next due moment second. */
final class AccountCodec {
    private static final int VERSION = 1;
    private static final Referral[] REFERRALS = Referral.values();

    private final Bytes out = new Bytes(1024);

    byte[] encode(Account row) {
        out.clear().put(VERSION).varint(row.nextDue).varint(row.clock);
        int flags = (row.opened ? 1 : 0) | (row.closed ? 2 : 0) | (row.existingCustomer ? 4 : 0)
                | (row.participant ? 8 : 0) | (row.feasibleUltra ? 16 : 0);
        out.put(flags).string(row.segment).string(row.dwelling).string(row.city).varint(row.signedOn);
        out.varint(row.openedAt).varint(row.activatedAt).varint(row.activatedDay).put(row.blocks).put(row.billingDay);
        out.varint(row.billingMonth).varint(row.billingNext).varint(row.paidCount);
        out.put(row.level).put(row.levelBase).varint(row.balance).put(row.nightBoost);
        tariff(row.tariff);
        out.varint(row.seen.size());
        row.seen.forEach((id, seen) -> out.fixed(id).fixed(seen.content()).varint(seen.time()));
        out.varint(row.payments.size());
        for (Payment payment : row.payments) {
            out.fixed(payment.key()).varint(payment.first()).varint(payment.months()).varint(payment.day());
        }
        out.varint(row.refunded.size());
        row.refunded.forEach((key, time) -> out.fixed(key).varint(time));
        out.varint(row.steps.size());
        for (Step step : row.steps) {
            int bits = step.kind | (step.paid ? 2 : 0) | (step.blocked ? 4 : 0) | (step.accrues ? 8 : 0)
                    | (step.bought ? 16 : 0);
            out.put(bits).varint(step.day).varint(step.index).put(step.level).varint(step.credited);
            money(step.price);
        }
        out.varint(row.lots.size());
        for (Lot lot : row.lots) {
            out.string(lot.id).varint(lot.points);
        }
        out.varint(row.discounts.size());
        for (Discount d : row.discounts) {
            out.string(d.rule).put(d.percent).varint(d.firstDay).varint(d.lastDay);
        }
        out.varint(row.pastDiscounts.size());
        for (Past d : row.pastDiscounts) {
            out.string(d.rule()).put(d.percent()).varint(d.firstDay()).varint(d.lastDay()).varint(d.ended());
            out.string(d.reason());
        }
        out.varint(row.claims.size());
        for (Claim claim : row.claims) {
            out.put(claim.state.ordinal()).string(claim.code).string(claim.advocate).string(claim.fault);
            cause(out, claim.cause);
            out.put(claim.converted == null ? 0 : 1);
            if (claim.converted != null) {
                cause(out, claim.converted);
            }
        }
        out.varint(row.advocated.size());
        row.advocated.forEach((friend, state) -> out.string(friend).put(state.ordinal()));
        return out.copy();
    }

    static Account decode(String id, byte[] value) {
        Bytes.Reader in = new Bytes.Reader(value);
        int version = in.one();
        if (version != VERSION) {
            throw new IllegalStateException("account row version " + version);
        }
        Account row = new Account(id);
        row.nextDue = in.varint();
        row.clock = in.varint();
        int flags = in.one();
        row.opened = (flags & 1) != 0;
        row.closed = (flags & 2) != 0;
        row.existingCustomer = (flags & 4) != 0;
        row.participant = (flags & 8) != 0;
        row.feasibleUltra = (flags & 16) != 0;
        row.segment = in.string();
        row.dwelling = in.string();
        row.city = in.string();
        row.signedOn = in.number();
        row.openedAt = in.varint();
        row.activatedAt = in.varint();
        row.activatedDay = in.number();
        row.blocks = in.one();
        row.billingDay = in.one();
        row.billingMonth = in.number();
        row.billingNext = in.number();
        row.paidCount = in.number();
        row.level = in.one();
        row.levelBase = in.one();
        row.balance = in.varint();
        row.nightBoost = in.one();
        row.tariff = tariff(in);
        for (int left = in.number(); left > 0; left--) {
            row.seen.put(in.fixed(), new Seen(in.fixed(), in.varint()));
        }
        for (int left = in.number(); left > 0; left--) {
            row.payments.add(new Payment(in.fixed(), in.number(), in.number(), in.number()));
        }
        for (int left = in.number(); left > 0; left--) {
            row.refunded.put(in.fixed(), in.varint());
        }
        for (int left = in.number(); left > 0; left--) {
            Step step = new Step();
            int bits = in.one();
            step.kind = bits & 1;
            step.paid = (bits & 2) != 0;
            step.blocked = (bits & 4) != 0;
            step.accrues = (bits & 8) != 0;
            step.bought = (bits & 16) != 0;
            step.day = in.number();
            step.index = in.number();
            step.level = in.one();
            step.credited = in.varint();
            step.price = money(in);
            row.steps.add(step);
        }
        for (int left = in.number(); left > 0; left--) {
            row.lots.add(new Lot(in.string(), in.varint()));
        }
        for (int left = in.number(); left > 0; left--) {
            row.discounts.add(new Discount(in.string(), in.one(), in.number(), in.number()));
        }
        for (int left = in.number(); left > 0; left--) {
            row.pastDiscounts.add(
                    new Past(in.string(), in.one(), in.number(), in.number(), in.number(), in.string()));
        }
        for (int left = in.number(); left > 0; left--) {
            Claim claim = new Claim();
            claim.state = REFERRALS[in.one()];
            claim.code = in.string();
            claim.advocate = in.string();
            claim.fault = in.string();
            claim.cause = cause(in);
            claim.converted = in.one() == 1 ? cause(in) : null;
            row.claims.add(claim);
        }
        for (int left = in.number(); left > 0; left--) {
            row.advocated.put(in.string(), REFERRALS[in.one()]);
        }
        return row;
    }

    static long nextDue(byte[] value) {
        Bytes.Reader in = new Bytes.Reader(value);
        in.one();
        return in.varint();
    }

    static void cause(Bytes out, Cause cause) {
        out.string(cause.subject()).string(cause.source()).string(cause.id()).varint(cause.time());
    }

    static Cause cause(Bytes.Reader in) {
        return new Cause(in.string(), in.string(), in.string(), in.varint());
    }

    private void tariff(Tariff tariff) {
        if (tariff == null) {
            out.put(0);
            return;
        }
        out.put(1).string(tariff.code()).string(tariff.family()).varint(tariff.speed());
        money(tariff.price());
        out.put(tariff.prepaid() ? 1 : 0).varint(tariff.notice());
    }

    private static Tariff tariff(Bytes.Reader in) {
        if (in.one() == 0) {
            return null;
        }
        return new Tariff(in.string(), in.string(), in.number(), money(in), in.one() == 1, in.number());
    }

    /** At most 15 digits before the point and 9 after it: 24 digits may not fit a long, so rarely a string. */
    private void money(BigDecimal money) {
        if (money == null) {
            out.put(-1);
        } else if (money.precision() <= 18) {
            out.put(money.scale()).varint(money.unscaledValue().longValueExact());
        } else {
            out.put(-2).string(money.toPlainString());
        }
    }

    private static BigDecimal money(Bytes.Reader in) {
        int scale = in.one();
        if (scale == -1) {
            return null;
        }
        return scale == -2 ? new BigDecimal(in.string()) : BigDecimal.valueOf(in.varint(), scale);
    }
}
