package bench;

import bench.Account.Cause;
import java.util.ArrayList;
import java.util.List;

/** One cause acting on one row: what it says, and what it sends. One instance a task, begun anew each time. */
final class Turn {
    enum Topic { POINTS, DISCOUNTS, MEMBERS }

    record Outcome(Topic topic, String type, String rule, byte[] value) {}

    record Link(String account, byte[] value) {}

    private static final byte[] SEPARATOR = {0};

    final Calendar calendar;
    private final String revision;
    private final Blake2b idDigest = new Blake2b(16, new byte[0]);
    private final Blake2b lotDigest = new Blake2b(6, new byte[0]);
    private final Bytes text = new Bytes(512);
    private final Bytes json = new Bytes(1024);

    Account row;
    Cause cause;
    long time;
    int day;
    byte[] timeText;
    final List<Outcome> outcomes = new ArrayList<>();
    final List<Link> links = new ArrayList<>();
    private Topic topic;
    private String type;
    private String rule;

    Turn(Calendar calendar, String revision) {
        this.calendar = calendar;
        this.revision = revision;
    }

    Turn begin(Account row, Cause cause) {
        this.row = row;
        this.cause = cause;
        time = cause.time();
        day = calendar.day(time);
        text.clear();
        calendar.text(time, text);
        timeText = text.copy();
        outcomes.clear();
        links.clear();
        return this;
    }

    /** The id that the next outcome of this type and rule will have. */
    String newId(String type, String rule, String position) {
        int same = 0;
        for (Outcome outcome : outcomes) {
            if (outcome.type.equals(type) && outcome.rule.equals(rule)) {
                same++;
            }
        }
        text.clear().ascii(Programme.OPERATOR).put(SEPARATOR).utf8(row.id).put(SEPARATOR);
        text.ascii(Programme.OPERATOR).put(SEPARATOR).utf8(cause.subject()).put(SEPARATOR);
        text.utf8(cause.source()).put(SEPARATOR).utf8(cause.id()).put(SEPARATOR);
        text.ascii(rule).put(SEPARATOR).ascii(type).put(SEPARATOR).utf8(position).put('#').number(same);
        byte[] digest = idDigest.digest(text.array, text.length);
        return text.clear().hex(digest).latin();
    }

    /** The name of the first lot that an outcome brings. */
    String lotId(String outcome) {
        text.clear().ascii(outcome).ascii("/0/").number(time);
        byte[] digest = lotDigest.digest(text.array, text.length);
        return text.clear().hex(digest).latin();
    }

    /** Start an outcome; its data are open, and {@link #said} ends it. */
    Bytes say(Topic topic, String type, String rule, String reason) {
        return say(topic, type, rule, reason, newId(type, rule, ""));
    }

    Bytes say(Topic topic, String type, String rule, String reason, String id) {
        this.topic = topic;
        this.type = type;
        this.rule = rule;
        json.clear().ascii("{\"specversion\":\"1.0\",\"id\":\"").ascii(id);
        json.ascii("\",\"source\":\"/loyalty/").ascii(Programme.OPERATOR);
        json.ascii("\",\"type\":\"").ascii(type).ascii("\",\"subject\":").quoted(row.id);
        json.ascii(",\"operator\":\"").ascii(Programme.OPERATOR).ascii("\",\"time\":\"").put(timeText);
        json.ascii("\",\"causationid\":").quoted(cause.id()).ascii(",\"revision\":\"").ascii(revision);
        json.ascii("\",\"datacontenttype\":\"application/json\",\"data\":{\"rule\":\"").ascii(rule);
        return json.ascii("\",\"reason\":").quoted(reason);
    }

    void said() {
        json.ascii("}}");
        outcomes.add(new Outcome(topic, type, rule, json.copy()));
    }

    /** Send a step to another account. */
    void send(Referrals.Kind kind, String account, Cause cause, String code, String reason) {
        text.clear().put(kind.ordinal()).string(row.id);
        AccountCodec.cause(text, cause);
        text.string(code).string(reason);
        links.add(new Link(account, text.copy()));
    }
}
