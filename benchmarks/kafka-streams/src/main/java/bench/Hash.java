package bench;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** A fast 64-bit hash for what never leaves a row: identities and contents. */
final class Hash {
    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long K1 = 0x9E3779B97F4A7C15L;
    private static final long K2 = 0xC2B2AE3D27D4EB4FL;

    private Hash() {}

    static long of(byte[] bytes) {
        long hash = bytes.length * K1;
        int at = 0;
        for (; at + 8 <= bytes.length; at += 8) {
            hash = step(hash, (long) LONGS.get(bytes, at));
        }
        long rest = 0;
        for (int shift = 0; at < bytes.length; at++, shift += 8) {
            rest |= (bytes[at] & 0xFFL) << shift;
        }
        return end(step(hash, rest));
    }

    static long of(CharSequence... parts) {
        long hash = K2;
        for (CharSequence part : parts) {
            for (int i = 0; i < part.length(); i++) {
                hash = (hash ^ part.charAt(i)) * K1;
                hash ^= hash >>> 29;
            }
            hash = step(hash, 0x1F);
        }
        return end(hash);
    }

    /** Those bits of a payment's key that are its id's. */
    static final long ID_BITS = (1L << 48) - 1;

    /** 16 hash bits of a source and 48 of an id: by which a refund finds its payment. */
    static long paymentKey(String source, String id) {
        return (of(source) << 48) | (of(id) & ID_BITS);
    }

    private static long step(long hash, long value) {
        return Long.rotateLeft(hash ^ (value * K2), 31) * K1;
    }

    private static long end(long hash) {
        long mixed = (hash ^ (hash >>> 33)) * K2;
        mixed = (mixed ^ (mixed >>> 29)) * K1;
        return mixed ^ (mixed >>> 32);
    }
}
