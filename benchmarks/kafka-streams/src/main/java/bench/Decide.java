package bench;

import bench.Turn.Outcome;
import java.io.BufferedReader;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.PriorityQueue;

/**
 * The same decisions with no stream in between, one clock for all accounts: what one account sends another is
 * applied before the next record. Lines of topic, key and value with tabs between come in, an empty line begins
 * a new world; outcomes, reasons of dead letters and the empty lines go out.
 */
final class Decide implements Engine.Writer {
    private record Due(long moment, String account) implements Comparable<Due> {
        @Override
        public int compareTo(Due other) {
            return moment != other.moment ? Long.compare(moment, other.moment) : account.compareTo(other.account);
        }
    }

    private final PrintStream out;
    private final Engine engine;
    private final EventReader reader = new EventReader();
    private final AccountCodec codec = new AccountCodec();
    private final Map<String, byte[]> rows = new HashMap<>();
    private final Map<String, Long> queued = new HashMap<>();
    private final PriorityQueue<Due> queue = new PriorityQueue<>();
    private final Deque<Turn.Link> links = new ArrayDeque<>();
    private long now = -Account.NEVER;

    private Decide(String revision, byte[] codeKey, PrintStream out) {
        this.out = out;
        engine = new Engine(revision, codeKey, this);
    }

    public static void main(String[] args) throws IOException {
        String revision = System.getProperty("revision");
        byte[] codeKey = HexFormat.of().parseHex(System.getProperty("code.key"));
        var out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Decide world = new Decide(revision, codeKey, out);
        for (String line; (line = in.readLine()) != null; ) {
            if (line.isEmpty()) {
                out.println();
                world = new Decide(revision, codeKey, out);
            } else {
                world.take(line.split("\t", 3));
            }
        }
        out.flush();
    }

    private void take(String[] record) {
        byte[] key = record[1].isEmpty() ? null : record[1].getBytes(StandardCharsets.UTF_8);
        try {
            Event event = reader.read(record[2].getBytes(StandardCharsets.UTF_8), key, record[0]);
            advance(event.time);
            if (key != null) {
                apply(event);
            }
        } catch (Unreadable unreadable) {
            out.println(unreadable.reason);
        }
    }

    private void apply(Event event) throws Unreadable {
        Account row = row(event.account);
        long identity = Hash.of(event.source, event.id);
        long content = Hash.of(event.raw);
        if (engine.refuse(row, event, identity, content)) {
            return;
        }
        engine.apply(row, event, identity, content);
        keep(row);
        for (Turn.Link link; (link = links.poll()) != null; ) {
            boolean known = rows.containsKey(link.account());
            Account other = row(link.account());
            engine.apply(other, Referrals.Step.decoded(link.value()));
            if (known) {
                keep(other);
            }
        }
        advance(now);
    }

    private void advance(long until) {
        now = Math.max(now, until);
        for (Due due; (due = queue.peek()) != null && due.moment <= now; ) {
            queue.poll();
            if (queued.remove(due.account, due.moment)) {
                Account row = row(due.account);
                engine.act(row);
                keep(row);
            }
        }
    }

    private Account row(String account) {
        byte[] value = rows.get(account);
        return value == null ? new Account(account) : AccountCodec.decode(account, value);
    }

    /** Encoded, so that the codec is tried too. */
    private void keep(Account row) {
        rows.put(row.id, codec.encode(row));
        if (row.nextDue == Account.NEVER) {
            queued.remove(row.id);
        } else if (!Long.valueOf(row.nextDue).equals(queued.put(row.id, row.nextDue))) {
            queue.add(new Due(row.nextDue, row.id));
        }
    }

    @Override
    public void due(Turn turn) {
        caused(turn);
    }

    @Override
    public void caused(Turn turn) {
        for (Outcome outcome : turn.outcomes) {
            out.println(new String(outcome.value(), StandardCharsets.UTF_8));
        }
        links.addAll(turn.links);
    }
}
