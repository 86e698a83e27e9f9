package bench;

import bench.Turn.Outcome;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.PriorityQueue;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/** The accounts of one task: every topic's records in, outcomes, journal, steps and rows out. */
final class AccountsProcessor implements Processor<byte[], byte[], byte[], byte[]>, Engine.Writer {
    static final String STORE = "accounts";
    private static final int HOT_ROWS_MAX = 50_000;

    private record Due(long moment, Bytes key) implements Comparable<Due> {
        @Override
        public int compareTo(Due other) {
            return moment != other.moment ? Long.compare(moment, other.moment) : key.compareTo(other.key);
        }
    }

    private final EventReader reader = new EventReader();
    private final AccountCodec codec = new AccountCodec();
    private final Engine engine;
    private final String revision;
    private final byte[] accountPrefix = (Programme.OPERATOR + "/").getBytes(StandardCharsets.US_ASCII);
    private final Map<Bytes, Account> hot = new HashMap<>();
    private final Map<Bytes, Long> queued = new HashMap<>();
    private final PriorityQueue<Due> queue = new PriorityQueue<>();
    private final bench.Bytes journal = new bench.Bytes(4096);
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> store;
    private byte[] key;
    private byte[] applied;
    private String appliedAs;

    AccountsProcessor(String revision, byte[] codeKey) {
        this.revision = revision;
        engine = new Engine(revision, codeKey, this);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        store = context.getStateStore(STORE);
        try (KeyValueIterator<Bytes, byte[]> rows = store.all()) {
            rows.forEachRemaining(row -> enqueue(row.key, AccountCodec.nextDue(row.value)));
        }
        Main.taskReady();
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        RecordMetadata metadata = context.recordMetadata().orElseThrow();
        String topic = metadata.topic();
        key = record.key();
        try {
            if (topic.equals("loyalty.clock")) {
                advance(reader.read(record.value(), record.key(), topic).time);
            } else if (topic.equals(Main.linksTopic)) {
                step(record);
            } else {
                event(reader.read(record.value(), record.key(), topic));
            }
        } catch (Unreadable unreadable) {
            context.forward(new Record<>(record.key(), letter(record, metadata, unreadable), record.timestamp()),
                    "dead-letters");
        }
    }

    private void event(Event event) throws Unreadable {
        Bytes at = Bytes.wrap(key);
        Account row = row(at, true);
        long identity = Hash.of(event.source, event.id);
        long content = Hash.of(event.raw);
        if (engine.refuse(row, event, identity, content)) {
            return;
        }
        applied = event.raw;
        appliedAs = "event";
        engine.apply(row, event, identity, content);
        keep(at, row);
    }

    private void step(Record<byte[], byte[]> record) {
        Bytes at = Bytes.wrap(key);
        Account row = row(at, false);
        boolean known = row != null;
        if (!known) {
            row = new Account(accountOf(key));
        }
        Referrals.Step step = Referrals.Step.decoded(record.value());
        applied = shown(step);
        appliedAs = "link";
        engine.apply(row, step);
        if (known) {
            keep(at, row);
        }
    }

    private void advance(long until) {
        for (Due due; (due = queue.peek()) != null && due.moment <= until; ) {
            queue.poll();
            Long moment = queued.get(due.key);
            if (moment == null || moment != due.moment) {
                continue;
            }
            queued.remove(due.key);
            key = due.key.get();
            Account row = row(due.key, false);
            engine.act(row);
            keep(due.key, row);
        }
    }

    private Account row(Bytes at, boolean create) {
        Account row = hot.get(at);
        if (row == null) {
            byte[] value = store.get(at);
            if (value == null && !create) {
                return null;
            }
            String id = accountOf(at.get());
            row = value == null ? new Account(id) : AccountCodec.decode(id, value);
            if (value != null) {
                hot.put(at, row);
            }
        }
        return row;
    }

    private void keep(Bytes at, Account row) {
        if (hot.size() > HOT_ROWS_MAX) {
            hot.clear();
        }
        hot.put(at, row);
        store.put(at, codec.encode(row));
        enqueue(at, row.nextDue);
    }

    private void enqueue(Bytes at, long moment) {
        if (moment == Account.NEVER) {
            queued.remove(at);
            return;
        }
        Long before = queued.put(at, moment);
        if (before == null || before != moment) {
            queue.add(new Due(moment, at));
        }
    }

    private String accountOf(byte[] key) {
        return new String(key, accountPrefix.length, key.length - accountPrefix.length, StandardCharsets.UTF_8);
    }

    @Override
    public void due(Turn turn) {
        journal.clear().put('"').put(turn.timeText).put('"');
        publish(turn, "due", journal.copy());
    }

    @Override
    public void caused(Turn turn) {
        publish(turn, appliedAs, applied);
    }

    private void publish(Turn turn, String kind, byte[] what) {
        long timestamp = turn.time / 1000;
        bench.Bytes out = journal.clear().ascii("{\"kind\":\"").ascii(kind);
        out.ascii("\",\"operator\":\"").ascii(Programme.OPERATOR).ascii("\",\"account\":").quoted(turn.row.id);
        out.ascii(",\"time\":\"").put(turn.timeText).ascii("\",\"revision\":\"").ascii(revision).ascii("\",\"");
        out.ascii(kind).ascii("\":").put(what).ascii(",\"outcomes\":[");
        for (int i = 0; i < turn.outcomes.size(); i++) {
            Outcome outcome = turn.outcomes.get(i);
            if (i > 0) {
                out.put(',');
            }
            out.put(outcome.value());
            context.forward(new Record<>(key, outcome.value(), timestamp), Main.SINKS[outcome.topic().ordinal()]);
        }
        for (Turn.Link link : turn.links) {
            byte[] account = link.account().getBytes(StandardCharsets.UTF_8);
            byte[] target = Arrays.copyOf(accountPrefix, accountPrefix.length + account.length);
            System.arraycopy(account, 0, target, accountPrefix.length, account.length);
            context.forward(new Record<>(target, link.value(), timestamp), "links");
        }
        byte[] entry = out.ascii("]}").copy();
        context.forward(new Record<>(key, entry, timestamp), "journal");
    }

    private byte[] shown(Referrals.Step step) {
        journal.clear().ascii("{\"kind\":\"referral.").ascii(step.kind().name().toLowerCase(java.util.Locale.ROOT));
        journal.ascii("\",\"sender\":").quoted(step.sender()).ascii(",\"cause\":[").quoted(step.cause().subject());
        journal.put(',').quoted(step.cause().source()).put(',').quoted(step.cause().id()).put(',');
        journal.number(step.cause().time()).ascii("],\"code\":").quoted(step.code()).ascii(",\"reason\":");
        return journal.quotedOrNull(step.reason()).put('}').copy();
    }

    private static byte[] letter(Record<byte[], byte[]> record, RecordMetadata metadata, Unreadable unreadable) {
        bench.Bytes out = new bench.Bytes(1024).ascii("{\"reason\":").quoted(unreadable.reason);
        out.ascii(",\"detail\":").quoted(unreadable.getMessage()).ascii(",\"topic\":").quoted(metadata.topic());
        out.ascii(",\"partition\":").number(metadata.partition()).ascii(",\"offset\":").number(metadata.offset());
        out.ascii(",\"timestamp\":").number(record.timestamp()).ascii(",\"key\":").quotedOrNull(text(record.key()));
        return out.ascii(",\"value\":").quotedOrNull(text(record.value())).put('}').copy();
    }

    private static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }
}
