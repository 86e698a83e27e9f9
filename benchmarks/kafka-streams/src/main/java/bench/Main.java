package bench;

import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.Stores;

/** The programme of orgtechservice on Kafka Streams. All settings are system properties: see README.md. */
public final class Main {
    /** The order of {@link Turn.Topic}. */
    static final String[] SINKS = {"points", "discounts", "members"};

    static String linksTopic;
    private static final String[] INBOUND = {
        "billing.payments", "billing.activations", "billing.tariff-changes", "billing.referrals", "loyalty.requests",
        "loyalty.clock",
    };

    private Main() {}

    public static void main(String[] args) throws InterruptedException {
        String out = System.getProperty("out");
        linksTopic = out + ".links";
        CountDownLatch stop = new CountDownLatch(1);
        boolean[] failed = {false};
        KafkaStreams streams = new KafkaStreams(topology(out), settings());
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            failed[0] = true;
            stop.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                say("running");
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stop.countDown();
            streams.close(Duration.ofSeconds(20));
        }));
        streams.start();
        stop.await();
        if (failed[0]) {
            System.exit(1);
        }
    }

    /** A task has its rows and begins to read. */
    static void taskReady() {
        say("ready");
    }

    private static synchronized void say(String word) {
        System.out.println(word);
        System.out.flush();
    }

    private static Topology topology(String out) {
        String[] sources = java.util.Arrays.copyOf(INBOUND, INBOUND.length + 1);
        sources[INBOUND.length] = linksTopic;
        String revision = System.getProperty("revision");
        byte[] codeKey = HexFormat.of().parseHex(System.getProperty("code.key"));
        boolean memory = System.getProperty("store", "memory").equals("memory");
        var bytes = new ByteArrayDeserializer();
        var topology = new Topology();
        topology.addSource("events", bytes, bytes, sources);
        topology.addProcessor("decide", () -> new AccountsProcessor(revision, codeKey), "events");
        var rows = Stores.keyValueStoreBuilder(
                        memory
                                ? Stores.inMemoryKeyValueStore(AccountsProcessor.STORE)
                                : Stores.persistentKeyValueStore(AccountsProcessor.STORE),
                        Serdes.Bytes(),
                        Serdes.ByteArray())
                .withLoggingEnabled(Map.of());
        boolean cached = Boolean.parseBoolean(System.getProperty("cached", String.valueOf(!memory)));
        topology.addStateStore(cached ? rows.withCachingEnabled() : rows.withCachingDisabled(), "decide");
        var serializer = new ByteArraySerializer();
        for (String sink : new String[] {"points", "discounts", "members", "journal", "dead-letters", "links"}) {
            topology.addSink(sink, out + "." + sink, serializer, serializer, "decide");
        }
        return topology;
    }

    private static Properties settings() {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getProperty("bootstrap"));
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getProperty("group"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("state.dir"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.getInteger("threads", 1));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Integer.getInteger("commit.ms", 100));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 4000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 100);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), 1 << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.SEND_BUFFER_CONFIG), 1 << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 4000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), Integer.getInteger("linger.ms", 100));
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
        return settings;
    }
}
