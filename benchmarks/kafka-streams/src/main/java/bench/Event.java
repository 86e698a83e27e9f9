package bench;

import bench.Account.Tariff;
import java.math.BigDecimal;

/** One readable event. The reader has one instance and fills it again and again. */
final class Event {
    String operator;
    String account;
    String type;
    String source;
    String id;
    long time;
    byte[] raw;

    String segment;
    String dwelling;
    String city;
    int signedOn;
    boolean existingCustomer;
    boolean participant;
    String service;
    Tariff tariff;
    int billingDay;
    /** -1: not said. */
    int feasibleUltra;
    String kind;
    int percent;
    int lastDay;
    BigDecimal amount;
    int months;
    String payment;
    String code;
    String reward;
    String to;
    long points;
    String reason;
    String rule;
}
