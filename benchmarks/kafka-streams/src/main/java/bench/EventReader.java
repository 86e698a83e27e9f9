package bench;

import bench.Account.Tariff;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads a record into the {@link Event}, or says why it cannot be one. Streaming; nothing is built twice. */
final class EventReader {
    private static final int RECORD_BYTES_MAX = 1_000_000;
    private static final Map<String, String> TOPIC_OF_TYPE = new HashMap<>();

    static {
        topic("billing.payments", "payment.received", "payment.refunded", "charge.posted", "purchase.completed",
                "purchase.confirmed", "purchase.returned");
        topic("billing.activations", "account.opened", "service.activated", "service.blocked",
                "service.unblocked", "owner.changed", "account.closed", "line.linked", "legacy-discount.converted");
        topic("billing.tariff-changes", "tariff.changed", "tariff.change-requested");
        topic("billing.referrals", "referral.code-registered");
        topic("loyalty.requests", "points.redeem-requested", "points.gift-requested", "goal.set",
                "points.adjusted", "discount.extended");
        topic("loyalty.clock", "clock.advanced");
    }

    private static void topic(String topic, String... types) {
        for (String type : types) {
            TOPIC_OF_TYPE.put(type, topic);
        }
    }

    /** A value of the data as it came: what kind of JSON it was, and its text, number or object. */
    private static final class Slot {
        JsonToken token;
        String text;
        long number;
    }

    private final JsonFactory json = new JsonFactory();
    private final Event event = new Event();
    private final Map<String, Slot> slots = new HashMap<>();
    private final Map<String, Slot> tariffSlots = new HashMap<>();
    private final Slot[] all;
    private final String[] dates = new String[64];
    private final int[] ordinals = new int[64];

    EventReader() {
        for (String name : new String[] {
            "segment", "dwelling", "city", "signed_on", "existing_customer", "participant", "service", "billing_day",
            "feasible_ultra", "promo_until", "kind", "new_owner", "line", "percent", "last_day", "amount", "currency",
            "months", "payment", "code", "reward", "quantity", "to", "points", "reason", "by", "rule", "change_on",
            "channel", "tariff", "category", "purchase", "partner",
        }) {
            slots.put(name, new Slot());
        }
        for (String name : new String[] {
            "code", "family", "speed_mbps", "monthly_price", "prepaid", "min_notice_days",
        }) {
            tariffSlots.put(name, new Slot());
        }
        List<Slot> every = new ArrayList<>(slots.values());
        every.addAll(tariffSlots.values());
        all = every.toArray(new Slot[0]);
    }

    /** The instance that is returned is the same each time. */
    Event read(byte[] value, byte[] key, String topic) throws Unreadable {
        if (value == null || value.length == 0) {
            throw new Unreadable("not-json", "value: empty");
        }
        if (value.length > RECORD_BYTES_MAX) {
            throw new Unreadable("too-large", "value: " + value.length + " bytes");
        }
        String version = null;
        String time = null;
        Event e = event;
        e.type = e.id = e.source = e.account = e.operator = null;
        e.raw = value;
        for (Slot slot : all) {
            slot.token = null;
        }
        JsonToken data = null;
        try (JsonParser parser = json.createParser(value)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new Unreadable("not-a-cloudevent", "value: a CloudEvent is a JSON object");
            }
            for (String name; (name = parser.nextFieldName()) != null; ) {
                JsonToken token = parser.nextToken();
                switch (name) {
                    case "specversion" -> version = string(parser, token);
                    case "type" -> e.type = string(parser, token);
                    case "id" -> e.id = string(parser, token);
                    case "source" -> e.source = string(parser, token);
                    case "subject" -> e.account = string(parser, token);
                    case "operator" -> e.operator = string(parser, token);
                    case "time" -> time = string(parser, token);
                    case "data" -> {
                        data = token;
                        if (token == JsonToken.START_OBJECT) {
                            fill(parser, slots);
                        } else {
                            parser.skipChildren();
                        }
                    }
                    default -> parser.skipChildren();
                }
            }
        } catch (IOException error) {
            throw new Unreadable("not-json", "value: " + error.getMessage());
        }
        check(e, version, time, data, key, topic);
        return e;
    }

    private static String string(JsonParser parser, JsonToken token) throws IOException {
        parser.skipChildren();
        return token == JsonToken.VALUE_STRING ? parser.getText() : null;
    }

    private void fill(JsonParser parser, Map<String, Slot> into) throws IOException {
        for (String name; (name = parser.nextFieldName()) != null; ) {
            JsonToken token = parser.nextToken();
            Slot slot = into.get(name);
            if (slot == null || token == JsonToken.VALUE_NULL) {
                parser.skipChildren();
                continue;
            }
            slot.token = token;
            switch (token) {
                case VALUE_STRING -> slot.text = parser.getText();
                case VALUE_NUMBER_INT -> slot.number = parser.getLongValue();
                case START_OBJECT -> {
                    if (into == slots && name.equals("tariff")) {
                        fill(parser, tariffSlots);
                    } else {
                        parser.skipChildren();
                    }
                }
                default -> parser.skipChildren();
            }
        }
    }

    private void check(Event e, String version, String time, JsonToken data, byte[] key, String topic)
            throws Unreadable {
        if (!"1.0".equals(version)) {
            throw new Unreadable("not-a-cloudevent", "specversion: must be the string \"1.0\"");
        }
        String right = e.type == null ? null : TOPIC_OF_TYPE.get(e.type);
        if (right == null) {
            throw new Unreadable("unknown-type", "type: " + e.type);
        }
        name(e.id, "id");
        name(e.source, "source");
        if (!right.equals("loyalty.clock")) {
            name(e.account, "subject");
            name(e.operator, "operator");
            if (!e.operator.equals(Programme.OPERATOR)) {
                throw new Unreadable("unknown-operator", "operator: no programme of " + e.operator);
            }
            if (!isKey(key, e.operator, e.account)) {
                throw new Unreadable("wrong-key", "key: the record's key is operator/subject");
            }
        }
        if (!right.equals(topic)) {
            throw new Unreadable("wrong-topic", "topic: " + e.type + " is written to " + right);
        }
        if (time == null) {
            throw new Unreadable("missing-field", "time: needed");
        }
        e.time = instant(time);
        if (data != null && data != JsonToken.START_OBJECT && data != JsonToken.VALUE_NULL) {
            throw new Unreadable("malformed-field", "data: a JSON object");
        }
        data(e);
    }

    private static boolean isKey(byte[] key, String operator, String account) {
        if (key == null) {
            return false;
        }
        int before = operator.length() + 1;
        if (key.length == before + account.length() && key[before - 1] == '/') {
            boolean same = true;
            for (int i = 0; same && i < before - 1; i++) {
                same = key[i] == operator.charAt(i);
            }
            for (int i = 0; same && i < account.length(); i++) {
                same = key[before + i] == account.charAt(i);
            }
            if (same) {
                return true;
            }
        }
        return Arrays.equals(key, (operator + "/" + account).getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    private static void name(String text, String field) throws Unreadable {
        if (text == null) {
            throw new Unreadable("missing-field", field + ": needed");
        }
        if (text.isEmpty() || text.length() > 256) {
            throw new Unreadable("malformed-field", field + ": 1 to 256 characters");
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < 0x20 || c >= 0x7F && c <= 0x9F) {
                throw new Unreadable("malformed-field", field + ": no control characters");
            }
        }
    }

    private static final Set<String> SEGMENTS = Set.of("individual", "business");
    private static final Set<String> DWELLINGS = Set.of("apartment", "house");
    private static final Set<String> SERVICES = Set.of("internet", "mobile", "pbx");
    private static final Set<String> BLOCKS = Set.of("debt", "voluntary", "other");
    private static final Set<String> CHANNELS = Set.of("cabinet", "office");

    private void data(Event e) throws Unreadable {
        switch (e.type) {
            case "account.opened" -> {
                e.segment = oneOf("segment", SEGMENTS, true);
                e.dwelling = oneOf("dwelling", DWELLINGS, false);
                e.city = text("city", false);
                e.signedOn = day("signed_on", false);
                e.existingCustomer = flag("existing_customer", 0) == 1;
                e.participant = flag("participant", 1) == 1;
            }
            case "service.activated" -> {
                e.service = oneOf("service", SERVICES, true);
                e.tariff = tariff();
                e.billingDay = (int) whole("billing_day", 1, 31, 0, false);
                e.feasibleUltra = flag("feasible_ultra", -1);
                day("promo_until", false);
            }
            case "service.blocked", "service.unblocked" -> e.kind = oneOf("kind", BLOCKS, true);
            case "owner.changed" -> text("new_owner", false);
            case "line.linked" -> text("line", true);
            case "legacy-discount.converted" -> {
                e.percent = (int) whole("percent", 1, 100, 0, true);
                e.lastDay = day("last_day", true);
            }
            case "payment.received" -> {
                e.amount = money(slots, "amount", "data.amount", true);
                e.service = text("service", true);
                String currency = text("currency", false);
                if (currency != null && !currency.matches("[A-Z]{3}")) {
                    throw new Unreadable("malformed-field", "data.currency: three capital letters");
                }
                e.months = (int) whole("months", 1, 1200, 1, false);
            }
            case "payment.refunded" -> e.payment = text("payment", true);
            case "tariff.changed" -> e.tariff = tariff();
            case "tariff.change-requested" -> {
                e.tariff = tariff();
                day("change_on", true);
                oneOf("channel", CHANNELS, false);
            }
            case "referral.code-registered" -> e.code = text("code", true);
            case "points.redeem-requested" -> {
                e.reward = text("reward", true);
                e.amount = money(slots, "amount", "data.amount", false);
                whole("quantity", 1, 1_000_000, 1, false);
                e.to = text("to", false);
            }
            case "points.gift-requested" -> {
                e.to = text("to", true);
                e.points = whole("points", 1, 1_000_000_000_000L, 0, true);
            }
            case "goal.set" -> e.amount = money(slots, "amount", "data.amount", true);
            case "points.adjusted" -> {
                e.points = whole("points", -1_000_000_000_000L, 1_000_000_000_000L, 0, true);
                e.reason = text("reason", true);
                text("by", true);
            }
            case "discount.extended" -> {
                e.rule = text("rule", true);
                e.lastDay = day("last_day", true);
                e.reason = text("reason", true);
                text("by", true);
            }
            default -> { }
        }
    }

    private static Slot given(Map<String, Slot> from, String name, String path, boolean required)
            throws Unreadable {
        Slot slot = from.get(name);
        if (slot.token != null) {
            return slot;
        }
        if (required) {
            throw new Unreadable("missing-field", path + ": needed");
        }
        return null;
    }

    private static Unreadable malformed(String path, String right) {
        return new Unreadable("malformed-field", path + ": " + right);
    }

    private String text(String name, boolean required) throws Unreadable {
        return text(slots, name, "data." + name, required);
    }

    private static String text(Map<String, Slot> from, String name, String path, boolean required)
            throws Unreadable {
        Slot slot = given(from, name, path, required);
        if (slot == null) {
            return null;
        }
        if (slot.token != JsonToken.VALUE_STRING || slot.text.isEmpty() || slot.text.length() > 1000) {
            throw malformed(path, "a string of 1 to 1000 characters");
        }
        return slot.text;
    }

    private String oneOf(String name, Set<String> allowed, boolean required) throws Unreadable {
        String text = text(name, required);
        if (text != null && !allowed.contains(text)) {
            throw malformed("data." + name, "one of " + allowed);
        }
        return text;
    }

    private int flag(String name, int absent) throws Unreadable {
        return flag(slots, name, "data." + name, absent);
    }

    private static int flag(Map<String, Slot> from, String name, String path, int absent) throws Unreadable {
        Slot slot = given(from, name, path, false);
        if (slot == null) {
            return absent;
        }
        if (slot.token != JsonToken.VALUE_TRUE && slot.token != JsonToken.VALUE_FALSE) {
            throw malformed(path, "true or false");
        }
        return slot.token == JsonToken.VALUE_TRUE ? 1 : 0;
    }

    private long whole(String name, long least, long most, long absent, boolean required) throws Unreadable {
        return whole(slots, name, "data." + name, least, most, absent, required);
    }

    private static long whole(
            Map<String, Slot> from, String name, String path, long least, long most, long absent, boolean required)
            throws Unreadable {
        Slot slot = given(from, name, path, required);
        if (slot == null) {
            return absent;
        }
        if (slot.token != JsonToken.VALUE_NUMBER_INT || slot.number < least || slot.number > most) {
            throw malformed(path, "a whole JSON number from " + least + " to " + most);
        }
        return slot.number;
    }

    private static BigDecimal money(Map<String, Slot> from, String name, String path, boolean required)
            throws Unreadable {
        Slot slot = given(from, name, path, required);
        if (slot == null) {
            return null;
        }
        if (slot.token != JsonToken.VALUE_STRING || !isMoney(slot.text)) {
            throw malformed(path, "money is a decimal string such as \"650.00\"");
        }
        return new BigDecimal(slot.text);
    }

    private static boolean isMoney(String text) {
        int point = text.indexOf('.');
        int whole = point < 0 ? text.length() : point;
        int fraction = point < 0 ? 1 : text.length() - point - 1;
        if (whole < 1 || whole > 15 || fraction < 1 || fraction > 9) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (i != point && (c < '0' || c > '9')) {
                return false;
            }
        }
        return true;
    }

    private Tariff tariff() throws Unreadable {
        Slot slot = given(slots, "tariff", "data.tariff", true);
        if (slot.token != JsonToken.START_OBJECT) {
            throw malformed("data.tariff", "an object");
        }
        return new Tariff(
                text(tariffSlots, "code", "data.tariff.code", true),
                text(tariffSlots, "family", "data.tariff.family", true),
                (int) whole(tariffSlots, "speed_mbps", "data.tariff.speed_mbps", 0, 1_000_000_000, -1, false),
                money(tariffSlots, "monthly_price", "data.tariff.monthly_price", false),
                flag(tariffSlots, "prepaid", "data.tariff.prepaid", 0) == 1,
                (int) whole(tariffSlots, "min_notice_days", "data.tariff.min_notice_days", 0, 10_000, 0, false));
    }

    private int day(String name, boolean required) throws Unreadable {
        String text = text(name, required);
        return text == null ? 0 : ordinal(text, "data." + name);
    }

    /** The ordinal of a date; those seen lately are remembered. */
    private int ordinal(String text, String path) throws Unreadable {
        int place = text.hashCode() & 63;
        if (!text.equals(dates[place])) {
            if (text.length() != 10 || text.charAt(4) != '-' || text.charAt(7) != '-') {
                throw malformed(path, "a date is a day such as 2025-09-01");
            }
            try {
                LocalDate date = LocalDate.of(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10));
                ordinals[place] = (int) date.toEpochDay() + Calendar.EPOCH;
            } catch (DateTimeException error) {
                throw malformed(path, "a date is a day such as 2025-09-01");
            }
            dates[place] = text;
        }
        return ordinals[place];
    }

    private static int digits(String text, int from, int to) throws Unreadable {
        int number = 0;
        for (int i = from; i < to; i++) {
            int digit = text.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                throw malformed("time", "digits where digits belong");
            }
            number = number * 10 + digit;
        }
        return number;
    }

    /** RFC 3339 with an offset, in microseconds since the epoch. */
    private long instant(String text) throws Unreadable {
        int length = text.length();
        if (length < 19 || (text.charAt(10) | 0x20) != 't' || text.charAt(13) != ':' || text.charAt(16) != ':') {
            throw malformed("time", "RFC 3339 with an offset");
        }
        long day = ordinal(text.substring(0, 10), "time") - Calendar.EPOCH;
        int hour = digits(text, 11, 13);
        int minute = digits(text, 14, 16);
        int second = digits(text, 17, 19);
        if (hour > 23 || minute > 59 || second > 60) {
            throw malformed("time", "RFC 3339 with an offset");
        }
        int at = 19;
        long fraction = second == 60 ? 999_999 : 0;
        if (at < length && text.charAt(at) == '.') {
            long unit = 100_000;
            for (at++; at < length && Character.isDigit(text.charAt(at)); at++, unit /= 10) {
                fraction += second == 60 ? 0 : (text.charAt(at) - '0') * unit;
            }
        }
        if (at == length) {
            throw new Unreadable("naive-time", "time: has no offset");
        }
        long offset = 0;
        char sign = text.charAt(at);
        if (sign == '+' || sign == '-') {
            if (length != at + 6 || text.charAt(at + 3) != ':') {
                throw malformed("time", "RFC 3339 with an offset");
            }
            offset = digits(text, at + 1, at + 3) * 3600L + digits(text, at + 4, at + 6) * 60L;
            offset = sign == '-' ? -offset : offset;
        } else if ((sign | 0x20) != 'z' || length != at + 1) {
            throw malformed("time", "RFC 3339 with an offset");
        }
        long seconds = day * 86_400 + hour * 3600L + minute * 60L + Math.min(second, 59) - offset;
        if (seconds < 0 || seconds >= 7_258_118_400L) {
            throw new Unreadable("time-out-of-range", "time: the years 1970 to 2199 can be told");
        }
        return seconds * 1_000_000 + fraction;
    }
}
