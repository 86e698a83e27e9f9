package bench;

import bench.Account.Lot;
import bench.Turn.Topic;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Lots of points that never expire: credit, take, reverse, and the end of an account. */
final class Points {
    private Points() {}

    static void credit(Turn turn, String rule, long points, String reason) {
        if (points == 0) {
            return;
        }
        String id = turn.newId("points.credited", rule, "");
        String lot = turn.lotId(id);
        turn.row.balance += points;
        turn.row.lots.add(new Lot(lot, points));
        Bytes data = turn.say(Topic.POINTS, "points.credited", rule, reason, id);
        data.ascii(",\"points\":").number(points).ascii(",\"balance\":").number(turn.row.balance);
        data.ascii(",\"lot\":\"").ascii(lot).ascii("\",\"expires_on\":null");
        turn.said();
    }

    /** Take points that are there, the oldest lots first. */
    static List<Lot> take(Account row, long points) {
        List<Lot> taken = new ArrayList<>(2);
        long left = points;
        for (Lot lot : row.lots) {
            if (left == 0) {
                break;
            }
            long part = Math.min(lot.points, left);
            lot.points -= part;
            left -= part;
            taken.add(new Lot(lot.id, part));
        }
        row.lots.removeIf(lot -> lot.points == 0);
        row.balance -= points;
        return taken;
    }

    /** Take points back as far as the balance goes; returns how many. */
    static long reverse(Turn turn, String rule, long points, String reason) {
        long back = Math.min(points, Math.max(turn.row.balance, 0));
        if (back > 0) {
            List<Lot> taken = take(turn.row, back);
            debit(turn.say(Topic.POINTS, "points.reversed", rule, reason), back, turn.row.balance, taken);
            turn.said();
        }
        return back;
    }

    static void expireAll(Turn turn, String reason) {
        Account row = turn.row;
        if (row.lots.isEmpty()) {
            return;
        }
        List<Lot> lots = row.lots;
        row.lots = new ArrayList<>(1);
        long points = 0;
        for (Lot lot : lots) {
            points += lot.points;
        }
        row.balance -= points;
        String position = lots.stream().map(lot -> lot.id).sorted().collect(Collectors.joining(","));
        String id = turn.newId("points.expired", "expiry", position);
        debit(turn.say(Topic.POINTS, "points.expired", "expiry", reason, id), points, row.balance, lots);
        turn.said();
    }

    static Bytes debit(Bytes data, long points, long balance, List<Lot> lots) {
        data.ascii(",\"points\":").number(points).ascii(",\"balance\":").number(balance).ascii(",\"lots\":[");
        for (int i = 0; i < lots.size(); i++) {
            data.ascii(i == 0 ? "{\"lot\":\"" : ",{\"lot\":\"").ascii(lots.get(i).id);
            data.ascii("\",\"points\":").number(lots.get(i).points).put('}');
        }
        return data.put(']');
    }
}
