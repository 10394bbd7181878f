"""Files become Segment calls, and a line that is none is named with its remedy."""

import gzip
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.ingest import tables
from streams.ingest.calls import LONGEST, BadLine, Call, stop_at
from streams.ingest.row_names import Counters
from streams.ingest.sources import Source, batches, read
from streams.ingest.tables import Columns
from triggers.base.model import LogRecord
from triggers.base.moments import parse_moment
from triggers.records.events import read_event

GOOD = {"type": "track", "userId": "ann", "event": "Signed Up", "timestamp": "2026-01-01T09:00:00Z"}


def write(folder: Path, name: str, *lines: object) -> Source:
    path = folder / name
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines) + b"\n")
    return Source(str(path))


def table(folder: Path, text: str) -> Source:
    path = folder / "events.csv"
    path.write_text(text, encoding="utf-8")
    return Source(str(path))


def all_of(source: Source, **how: Any) -> list[Call]:
    return [call for call in read(source, **how) if call is not None]


def what_is_wrong(source: Source, **how: Any) -> str:
    with pytest.raises(BadLine) as caught:
        all_of(source, **how)
    return str(caught.value)


# ---- JSONL -----------------------------------------------------------------------------------------------------------


def test_a_line_of_jsonl_passes_through_byte_for_byte(tmp_path: Path) -> None:
    line = b'{"userId": "ann",  "event":"Signed Up","type":"track","properties":{"source":"\xc3\xa9"}, "timestamp":"2026-01-01T09:00Z"}'
    assert all_of(write(tmp_path, "e.jsonl", line)) == [Call(parse_moment("2026-01-01T09:00:00Z"), b"ann", line, "e.jsonl", 1)]


def test_empty_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    source = write(tmp_path, "e.jsonl", b"\xef\xbb\xbf" + orjson.dumps(GOOD), b"", b"  \r", GOOD)
    assert [call.value for call in all_of(source)] == [orjson.dumps(GOOD)] * 2


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl.gz"
    path.write_bytes(gzip.compress(orjson.dumps(GOOD) + b"\n"))
    assert len(all_of(Source(str(path)))) == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: b"userId", "e.jsonl.gz: not gzip, or damaged: Not a gzipped file (b'us'); download it again; if it is not packed"),
        (lambda packed: packed[:-9], "e.jsonl.gz: the file ends before its packed data does; download it again"),
        (lambda packed: packed[:-8] + b"\0" * 8, "e.jsonl.gz: not gzip, or damaged: CRC check failed"),
        (lambda packed: packed[:10] + b"\xff" * 20, "e.jsonl.gz: not gzip, or damaged: Error -3 while decompressing data"),
    ],
    ids=["not packed", "cut off", "wrong sum", "wrong data"],
)
@pytest.mark.parametrize(
    ("kind", "text"),
    [("jsonl", orjson.dumps(GOOD)), ("csv", b"userId,event\nann,x"), ("cdnow", b" 00001 19970101  1   11.77")],
    ids=["jsonl", "csv", "cdnow"],
)
def test_a_spoilt_file_is_named(tmp_path: Path, spoil: Any, said: str, kind: str, text: bytes) -> None:
    path = tmp_path / "e.jsonl.gz"
    path.write_bytes(spoil(gzip.compress(text + b"\n")))
    assert said in what_is_wrong(Source(str(path)), format=kind)


@pytest.mark.parametrize("packed", [False, True])
def test_how_far_a_file_is_read_can_be_asked_at_any_moment(tmp_path: Path, *, packed: bool) -> None:
    """Another thread shows the progress; a file that is being closed at that moment must not end the feed."""
    path = tmp_path / ("e.jsonl.gz" if packed else "e.jsonl")
    text = (orjson.dumps(GOOD) + b"\n") * 50
    path.write_bytes(gzip.compress(text) if packed else text)
    sources, ended, wrong = [Source(str(path))], threading.Event(), list[object]()

    def ask() -> None:
        while not ended.is_set():
            try:
                if not 0 <= sources[-1].done <= sources[-1].size:
                    wrong.append(sources[-1].done)
            except OSError as error:
                wrong.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(2_000):
        sources.append(Source(str(path)))
        for _line in sources[-1].lines():
            pass
    ended.set()
    asking.join()
    assert wrong == []
    assert sources[-1].done == sources[-1].size


def test_a_call_that_says_when_it_was_sent_was_logged_then(tmp_path: Path) -> None:
    """So the engine finds the event time that the phone meant: here three days before it came online."""
    sent = {**GOOD, "sentAt": "2026-01-04T09:00:00Z"}
    [call] = all_of(write(tmp_path, "e.jsonl", sent))
    assert call.at == parse_moment("2026-01-04T09:00:00Z")


@pytest.mark.parametrize(
    ("times", "logged"),
    [
        ({"receivedAt": "2026-01-01T09:00:06Z", "sentAt": "2026-01-01T11:00:05Z"}, "2026-01-01T09:00:06Z"),
        ({"timestamp": "2099-01-01T00:00:00Z", "receivedAt": "2026-01-01T09:00:06Z"}, "2026-01-01T09:00:06Z"),
        ({"originalTimestamp": "2026-01-01T11:00:00Z", "sentAt": "2026-01-01T11:00:05Z"}, "2026-01-01T09:00:00Z"),
        ({"sentAt": "2026-01-04T09:00:00Z"}, "2026-01-04T09:00:00Z"),
        ({"receivedAt": "soon"}, "2026-01-01T09:00:00Z"),
        ({"timestamp": 1_767_258_000}, "2026-01-01T09:00:00Z"),
        ({"timestamp": 1_767_258_000_123}, "2026-01-01T09:00:00.123Z"),
        ({"timestamp": "2016-12-31T23:59:60Z"}, "2016-12-31T23:59:59.999Z"),
    ],
)
def test_a_call_was_logged_when_it_was_received_else_when_it_was_sent_else_when_it_happened(
    tmp_path: Path, times: Any, logged: str
) -> None:
    assert [call.at for call in all_of(write(tmp_path, "e.jsonl", {**GOOD, **times}))] == [parse_moment(logged)]


def test_a_user_id_that_is_a_whole_number_is_its_digits(tmp_path: Path) -> None:
    """As the engine reads it."""
    [call] = all_of(write(tmp_path, "e.jsonl", {**GOOD, "userId": 5}))
    assert (call.key, read_event(LogRecord(0, 0, call.key, call.value))[1]) == (b"5", "5")


def test_a_call_without_a_moment_is_fine_unless_the_log_takes_its_time_from_it(tmp_path: Path) -> None:
    timeless = {key: value for key, value in GOOD.items() if key != "timestamp"}
    assert all_of(write(tmp_path, "e.jsonl", timeless))[0].at is None
    assert what_is_wrong(write(tmp_path, "e.jsonl", GOOD, timeless), timed=True).startswith("e.jsonl:2: no timestamp; historic time comes")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"hello", "e.jsonl:2: not JSON"),
        (b"userId,event", "for CSV use --format csv"),
        (b"[" * 100_000, "e.jsonl:2: expected `object`, got `array`"),
        (b'{"properties":' + b"[" * 100_000, "e.jsonl:2: not JSON: "),
        (b'{"type":"track","userId":"ann\xff"}', "e.jsonl:2: "),
        ({"type": "track", "event": "x"}, "e.jsonl:2: no userId; every call needs one"),
        ({"userId": "ann", "event": "x"}, "e.jsonl:2: no type; say which call it is"),
        ({**GOOD, "userId": 5.5}, "e.jsonl:2: expected `int | str`, got `float` - at `$.userId`"),
        ({**GOOD, "timestamp": [5]}, "e.jsonl:2: not an ISO 8601 date or date-time: [5]"),
        ({**GOOD, "userId": ""}, "e.jsonl:2: no user id"),
        ({**GOOD, "userId": "\0position"}, "e.jsonl:2: bad user id: control characters"),
        ({**GOOD, "userId": "x" * 257}, "e.jsonl:2: bad user id: longer than 256 bytes"),
        ({**GOOD, "type": "trak"}, "there is no type of call 'trak'; did you mean track?"),
        ({**GOOD, "type": "alias"}, "alias is not supported"),
        ({**GOOD, "event": ""}, "a track call without a name"),
        ({**GOOD, "timestamp": "yesterday"}, "e.jsonl:2: not an ISO 8601 date"),
        ({**GOOD, "timestamp": "1969-12-31T23:59:59Z"}, "outside of the years 1970 to 9999"),
        ({**GOOD, "properties": {"text": "x" * 300_000}}, "an event has at most 262,144"),
    ],
)
def test_a_bad_line_is_named_with_what_would_be_right(tmp_path: Path, line: object, said: str) -> None:
    assert said in what_is_wrong(write(tmp_path, "e.jsonl", GOOD, line))


def test_bad_lines_can_be_counted_and_left_out(tmp_path: Path) -> None:
    bad: list[str] = []
    calls = all_of(write(tmp_path, "e.jsonl", b"x", GOOD, b"y", GOOD), bad=lambda line: bad.append(str(line).partition("; ")[0]))
    assert len(calls) == 2
    assert [line.partition(": ")[0] for line in bad] == ["e.jsonl:1", "e.jsonl:3"]


# ---- CSV -------------------------------------------------------------------------------------------------------------


def test_columns_become_a_track_call_and_its_properties(tmp_path: Path) -> None:
    source = table(tmp_path, "userId,event,messageId,timestamp,total,plan\nann,Order Completed,m1,2026-01-01 09:00:00,11.77,\n")
    [call] = all_of(source)
    assert orjson.loads(call.value) == {
        "type": "track",
        "messageId": "m1",
        "userId": "ann",
        "timestamp": "2026-01-01T09:00:00.000Z",
        "event": "Order Completed",
        "properties": {"total": 11.77},
    }
    assert read_event(LogRecord(0, 0, call.key, call.value))[1] == "ann"


def test_columns_have_other_names_where_they_are_told(tmp_path: Path) -> None:
    source = table(tmp_path, "customer;day\n".replace(";", ",") + "7,2026-01-01\n")
    [call] = all_of(source, columns=Columns(user="customer", timestamp="day", name="Visited"))
    assert (call.key, call.at, orjson.loads(call.value)["event"]) == (b"7", parse_moment("2026-01-01"), "Visited")


def test_a_row_is_placed_by_the_moment_at_which_it_was_received(tmp_path: Path) -> None:
    """Not by the phone's clock; the call contains the moment itself, as in Segment's calls."""
    source = table(tmp_path, "userId,event,timestamp,receivedAt\nann,x,2099-01-01,2026-01-01T09:00:06Z\nann,x,2026-01-02,\n")
    first, second = all_of(source)
    assert (first.at, second.at) == (parse_moment("2026-01-01T09:00:06Z"), parse_moment("2026-01-02"))
    assert orjson.loads(first.value)["receivedAt"] == "2026-01-01T09:00:06.000Z"
    assert "receivedAt" not in orjson.loads(second.value)
    [named] = all_of(table(tmp_path, "userId,event,arrived\nann,x,2026-01-03\n"), columns=Columns(received="arrived"), timed=True)
    assert named.at == parse_moment("2026-01-03")
    assert orjson.loads(named.value)["properties"] == {}


def test_a_cell_is_a_number_where_it_is_written_as_one_and_nobody_says_otherwise(tmp_path: Path) -> None:
    source = table(tmp_path, 'userId,event,a,b,c,d,e\nann,x,5,-0.5,007,1e5,20\nbob,x,,"1,5", 3,+1,21\n')
    calls = all_of(source, columns=Columns(text=frozenset({"e"})))
    assert [orjson.loads(call.value)["properties"] for call in calls] == [
        {"a": 5, "b": -0.5, "c": "007", "d": "1e5", "e": "20"},
        {"b": "1,5", "c": " 3", "d": "+1", "e": "21"},
    ]


def test_a_table_of_users_becomes_identify_calls(tmp_path: Path) -> None:
    [call] = all_of(table(tmp_path, "userId,messageId,country\nann,m1,CN\n"), columns=Columns(identify=True))
    assert orjson.loads(call.value) == {"type": "identify", "messageId": "m1", "userId": "ann", "traits": {"country": "CN"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "user_id,event\nann,x\n",
            "events.csv:1: there is no column 'userId'; there are user_id, event; name it with --user (perhaps --user 'user_id')",
        ),
        ("userId\nann\n", "name it with --event, or use --name for the one event of all lines"),
        ("", "there is no column 'userId'; there are none"),
        (",userId,event\n0,ann,x\n", "events.csv:1: column 1 has no name; name it, or save the file without it"),
        ("userId,event,plan,plan\nann,x,a,b\n", "events.csv:1: columns 3 and 4 are both named 'plan'; give each a name of its own"),
        ("userId|event\nann|x\n", "name the separator of the columns with --separator '|'"),
        ('userId,event\nann,"x\n', "events.csv:2: a quote is opened and never closed"),
        ('userId,event\nann,"x"y\n', "events.csv:2: text follows a closing quote"),
        ("userId,event\nann,x,y\n", "events.csv:2: 3 values for 2 columns; values that contain the separator"),
        ("userId,event\nann,\n", "events.csv:2: no event; fill the column 'event'"),
        ("userId,event\n,x\n", "events.csv:2: no user id"),
        ("userId,event,timestamp\nann,x,1.1.2026\n", "events.csv:2: not an ISO 8601 date"),
    ],
)
def test_a_bad_line_of_a_table_is_named_likewise(tmp_path: Path, text: str, said: str) -> None:
    assert said in what_is_wrong(table(tmp_path, text))


def test_a_line_of_a_table_is_counted_as_an_editor_counts(tmp_path: Path) -> None:
    assert what_is_wrong(table(tmp_path, 'userId,event,text\nann,x,"two\nlines"\n\nbob,,z\n')).startswith("events.csv:5: ")


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes("userId,event\nandré,x\n".encode("latin-1"))
    assert what_is_wrong(Source(str(path))) == "e.csv:2: not UTF-8; save the file as CSV in UTF-8"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            {"timestamp": "orderd_at"},
            "no column 'orderd_at'; there are userId, event, ordered_at; correct --timestamp (perhaps --timestamp 'o",
        ),
        ({"message_id": "key"}, "no column 'key'; there are userId, event, ordered_at; correct --message-id"),
        ({"user": "userid"}, "correct --user (perhaps --user 'userId')"),
        ({"event": "events"}, "correct --event (perhaps --event 'event')"),
        ({"text": frozenset({"orderedat"})}, "correct --text (perhaps --text 'ordered_at')"),
    ],
)
def test_a_named_column_that_is_not_there_is_refused_at_the_header(tmp_path: Path, named: Any, said: str) -> None:
    source = table(tmp_path, "userId,event,ordered_at\nann,x,2026-01-01\n")
    message = what_is_wrong(source, columns=Columns(**named), bad=lambda _: None)
    assert message.startswith("events.csv:1: ")
    assert said in message


def test_true_and_false_are_flags_unless_the_column_is_text(tmp_path: Path) -> None:
    source = table(tmp_path, "userId,event,a,b,c,d\nann,x,true,FALSE,True,yes\nbob,x,false,TRUE,False,no\n")
    calls = all_of(source, columns=Columns(text=frozenset({"c"})))
    assert [orjson.loads(call.value)["properties"] for call in calls] == [
        {"a": True, "b": False, "c": "True", "d": "yes"},
        {"a": False, "b": True, "c": "False", "d": "no"},
    ]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ('userId;event;note\nann;x;"a;b,c"\n', {}),
        ("userId\tevent\tnote\nann\tx\ta;b,c\n", {}),
        ('\ufeff"userId",event,note\nann,x,"a;b,c"\n', {}),
        ("userId|event|note\nann|x|a;b,c\n", {"separator": "|"}),
    ],
)
def test_the_header_tells_what_stands_between_the_cells(tmp_path: Path, text: str, how: Any) -> None:
    [call] = all_of(table(tmp_path, text), columns=Columns(**how))
    assert orjson.loads(call.value)["properties"] == {"note": "a;b,c"}


def test_an_empty_cell_clears_a_trait_where_one_says_so(tmp_path: Path) -> None:
    source = table(tmp_path, "userId,plan,city\nann,,Rome\n")
    [kept] = all_of(source, columns=Columns(identify=True))
    [cleared] = all_of(source, columns=Columns(identify=True, clear=True))
    assert orjson.loads(kept.value)["traits"] == {"city": "Rome"}
    assert orjson.loads(cleared.value)["traits"] == {"plan": None, "city": "Rome"}


def test_a_line_that_is_not_utf8_spoils_its_row_only(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(b'userId,event,text\nann,x,a\nbob,x,"caf\xe9\nb"\ncy,x,c\n')
    bad: list[str] = []
    calls = all_of(Source(str(path)), bad=lambda line: bad.append(str(line)))
    assert [call.key for call in calls] == [b"ann", b"cy"]
    assert bad == ["e.csv:3: not UTF-8; save the file as CSV in UTF-8"]


@pytest.mark.parametrize("end", ["", "bob,x,y\n" * 30_000], ids=["short", "long"])
def test_a_quote_that_is_never_closed_spoils_its_row_only(tmp_path: Path, end: str) -> None:
    bad: list[str] = []
    source = table(tmp_path, 'userId,event,text\nann,x,"a\ncy,x,c\n' + end)
    calls = all_of(source, bad=lambda line: bad.append(str(line)))
    assert [call.key for call in calls] == [b"cy"] + [b"bob"] * end.count("\n")
    assert [line.partition(": ")[0] for line in bad] == ["events.csv:2"]


def test_a_table_of_nothing_but_open_quotes_is_read_in_linear_time(tmp_path: Path) -> None:
    """Each of its lines begins a row that has no end."""
    bad: list[str] = []
    line = 'x","\n'
    assert all_of(table(tmp_path, "userId,event\n" + line * 400_000), bad=lambda line: bad.append(str(line))) == []
    assert len(bad) < 50
    assert any("more than 1,048,576 bytes in one row, and " in line for line in bad)


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    long = b"x" * 3_000_000
    for name, good in (("e.jsonl", orjson.dumps(GOOD)), ("e.csv", b"ann,x")):
        path = tmp_path / name
        path.write_bytes(b"userId,event\n" * name.endswith("csv") + good + b"\n" + long + b"\n" + good + b"\n")
        assert max(len(line or b"") for line in Source(str(path)).lines()) == LONGEST + 1
        bad: list[str] = []
        assert len(all_of(Source(str(path)), bad=lambda line, said=bad: said.append(str(line)))) == 2
        assert [": more than 1,048,576 bytes in one line" in line for line in bad] == [True]


# ---- names of rows ---------------------------------------------------------------------------------------------------

ROWS = "userId,event,timestamp,total\nann,Paid,2026-01-01,5\nann,Paid,2026-01-01,5\nann,Paid,2026-01-01,6\n"


def names(source: Source, **how: Any) -> list[Any]:
    return [orjson.loads(call.value).get("messageId") for call in all_of(source, **how)]


def test_a_row_is_named_after_what_it_says_and_how_often_it_came_before(tmp_path: Path) -> None:
    first, again, other = names(table(tmp_path, ROWS))
    assert first.startswith("row-")
    assert again == f"{first}-2"
    assert not other.startswith(first)
    assert names(table(tmp_path, "timestamp;total;event;userId\n2026-01-01T00:00:00Z;5;Paid;ann\n")) == [first]


def test_a_copy_under_another_name_is_a_duplicate(tmp_path: Path) -> None:
    expected = names(table(tmp_path, ROWS))
    copy, packed = tmp_path / "copy.csv", tmp_path / "copy.csv.gz"
    copy.write_text(ROWS)
    packed.write_bytes(gzip.compress(ROWS.encode()))
    assert names(Source(str(copy))) == names(Source(str(packed))) == expected


def test_the_same_row_of_another_day_is_no_duplicate_where_it_has_no_moment(tmp_path: Path) -> None:
    """Tuesday's file sets back what Monday's did, so its rows count though some say the same."""
    how = {"columns": Columns(identify=True)}
    monday = names(table(tmp_path, "userId,plan\nann,free\nbob,free\n"), **how)
    tuesday = names(table(tmp_path, "userId,plan\nann,free\nbob,pro\n"), **how)
    assert monday == names(table(tmp_path, "userId,plan\nann,free\nbob,free\n"), **how)
    assert not set(monday) & set(tuesday)
    batch = {"columns": Columns(identify=True, batch="import 7")}
    assert (
        names(table(tmp_path, "userId,plan\nann,free\nbob,free\n"), **batch)[0]
        == names(table(tmp_path, "userId,plan\nann,free\nbob,pro\n"), **batch)[0]
    )


def test_what_can_be_read_only_once_names_no_row_without_a_moment(tmp_path: Path) -> None:
    lines = [b"userId,event,timestamp\n", b"ann,x,\n", b"ann,x,2026-01-01\n"]
    calls = list(tables.calls("<stdin>", lines, Columns(), lambda: None, stop_at, timed=False))
    assert ["messageId" in orjson.loads(call.value) for call in calls] == [False, True]


def test_counters_of_many_rows_lie_on_disk_and_count_alike() -> None:
    digests = [b"%d" % (n * n % 61) for n in range(2_000)]
    small, big = Counters(at_hand=7), Counters()
    assert [small.count(digest) for digest in digests] == [big.count(digest) for digest in digests]


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_ends_early_where_there_is_no_more_at_the_moment() -> None:
    call = Call(0, b"ann", b"{}")
    assert [len(batch) for batch in batches([call, call, None, None, call, call, call, call], 3)] == [2, 3, 1]


# ---- CDNOW -----------------------------------------------------------------------------------------------------------

HEAD = b" customer_id  date number_of_cds  dollar_value "


def test_each_line_of_cdnow_is_one_order_in_the_order_of_time(tmp_path: Path) -> None:
    source = write(
        tmp_path, "CDNOW_master.txt", HEAD, b" 00001 19970102  1   11.77", b" 00002 19970101  0    0.00", b" 00002 19970101  0    0.00"
    )
    calls = all_of(source)
    assert [orjson.loads(call.value)["messageId"] for call in calls] == ["CDNOW_master.txt:3", "CDNOW_master.txt:4", "CDNOW_master.txt:2"]
    assert orjson.loads(calls[2].value) == {
        "type": "track",
        "messageId": "CDNOW_master.txt:2",
        "userId": "00001",
        "event": "Order Completed",
        "timestamp": "1997-01-02T00:00:00.000Z",
        "properties": {"total": 11.77, "quantity": 1},
    }


def test_the_sample_names_users_as_the_master_does(tmp_path: Path) -> None:
    [call] = all_of(write(tmp_path, "CDNOW_sample.txt", b" 00004 0001 19970101  2   29.33"))
    assert call.key == b"00004"


def test_a_line_that_is_no_order_is_named(tmp_path: Path) -> None:
    assert what_is_wrong(write(tmp_path, "x.txt", b"1 2"), format="cdnow").startswith("x.txt:1: not an order of CDNOW")


def test_a_line_that_is_no_order_can_be_left_out_as_any_other_bad_line(tmp_path: Path) -> None:
    bad: list[str] = []
    source = write(tmp_path, "x.txt", b"1 2", b" 00001 19970101  1   11.77")
    assert [(call.key, call.line) for call in all_of(source, format="cdnow", bad=lambda line: bad.append(str(line)))] == [(b"00001", 2)]
    assert [line.partition(":")[0] for line in bad] == ["x.txt"]
