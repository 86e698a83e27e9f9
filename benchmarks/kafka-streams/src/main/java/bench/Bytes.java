package bench;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A growing buffer, reused: text, JSON and varints are written straight into it. */
final class Bytes {
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    byte[] array;
    int length;

    Bytes(int capacity) {
        array = new byte[capacity];
    }

    Bytes clear() {
        length = 0;
        return this;
    }

    byte[] copy() {
        return Arrays.copyOf(array, length);
    }

    /** The content as text that is known to be ASCII. */
    String latin() {
        return new String(array, 0, length, StandardCharsets.ISO_8859_1);
    }

    private void room(int more) {
        if (length + more > array.length) {
            array = Arrays.copyOf(array, Math.max(array.length * 2, length + more));
        }
    }

    Bytes put(int one) {
        room(1);
        array[length++] = (byte) one;
        return this;
    }

    Bytes put(byte[] bytes) {
        room(bytes.length);
        System.arraycopy(bytes, 0, array, length, bytes.length);
        length += bytes.length;
        return this;
    }

    @SuppressWarnings("deprecation") // the quickest way for text that is known to be ASCII
    Bytes ascii(String text) {
        int count = text.length();
        room(count);
        text.getBytes(0, count, array, length);
        length += count;
        return this;
    }

    Bytes utf8(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) >= 0x80) {
                return put(text.getBytes(StandardCharsets.UTF_8));
            }
        }
        return ascii(text);
    }

    Bytes two(int number) {
        return put('0' + number / 10).put('0' + number % 10);
    }

    Bytes number(long number) {
        if (number < 0) {
            return ascii(Long.toString(number));
        }
        room(20);
        int digits = 1;
        for (long rest = number; rest > 9; rest /= 10) {
            digits++;
        }
        long rest = number;
        for (int at = length + digits - 1; at >= length; at--, rest /= 10) {
            array[at] = (byte) ('0' + rest % 10);
        }
        length += digits;
        return this;
    }

    Bytes hex(byte[] bytes) {
        room(2 * bytes.length);
        for (byte one : bytes) {
            array[length++] = HEX[one >> 4 & 15];
            array[length++] = HEX[one & 15];
        }
        return this;
    }

    /** A JSON string. */
    Bytes quoted(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\') {
                return escaped(text);
            }
        }
        return put('"').ascii(text).put('"');
    }

    private Bytes escaped(String text) {
        put('"');
        for (byte one : text.getBytes(StandardCharsets.UTF_8)) {
            switch (one) {
                case '"' -> ascii("\\\"");
                case '\\' -> ascii("\\\\");
                case '\n' -> ascii("\\n");
                case '\r' -> ascii("\\r");
                case '\t' -> ascii("\\t");
                case '\b' -> ascii("\\b");
                case '\f' -> ascii("\\f");
                default -> {
                    if (one >= 0 && one < 0x20) {
                        ascii("\\u00").hex(new byte[] {one});
                    } else {
                        put(one);
                    }
                }
            }
        }
        return put('"');
    }

    Bytes quotedOrNull(String text) {
        return text == null ? ascii("null") : quoted(text);
    }

    Bytes varint(long value) {
        room(10);
        long zigzag = (value << 1) ^ (value >> 63);
        while ((zigzag & ~0x7FL) != 0) {
            array[length++] = (byte) (zigzag & 0x7F | 0x80);
            zigzag >>>= 7;
        }
        array[length++] = (byte) zigzag;
        return this;
    }

    Bytes fixed(long value) {
        room(8);
        for (int shift = 0; shift < 64; shift += 8) {
            array[length++] = (byte) (value >>> shift);
        }
        return this;
    }

    /** A string that may be null, its length before it. */
    Bytes string(String text) {
        if (text == null) {
            return varint(-1);
        }
        int count = text.length();
        for (int i = 0; i < count; i++) {
            if (text.charAt(i) >= 0x80) {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                return varint(bytes.length).put(bytes);
            }
        }
        return varint(count).ascii(text);
    }

    /** Reads what {@link Bytes} wrote. */
    static final class Reader {
        private final byte[] array;
        private int at;

        Reader(byte[] array) {
            this.array = array;
        }

        int one() {
            return array[at++];
        }

        long varint() {
            long zigzag = 0;
            for (int shift = 0; ; shift += 7) {
                byte one = array[at++];
                zigzag |= (one & 0x7FL) << shift;
                if (one >= 0) {
                    return (zigzag >>> 1) ^ -(zigzag & 1);
                }
            }
        }

        int number() {
            return (int) varint();
        }

        long fixed() {
            long value = 0;
            for (int shift = 0; shift < 64; shift += 8) {
                value |= (array[at++] & 0xFFL) << shift;
            }
            return value;
        }

        String string() {
            int length = number();
            if (length < 0) {
                return null;
            }
            String text = new String(array, at, length, StandardCharsets.UTF_8);
            at += length;
            return text;
        }
    }
}
