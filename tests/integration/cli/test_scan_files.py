import os
import tracemalloc

from trailwatch.cli.scan_files import BATCH_BYTES, BATCH_FILES, FileBatches
from trailwatch.sources.files import LogFile


def log_files(count, size=10):
    folder = "/logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/31/111122223333_CloudTrail_eu-west-1_20260131T"
    return [LogFile(f"{folder}{number:06}Z_{number * 7919:016x}.json.gz", size + number) for number in range(count)]


def test_every_file_comes_back_in_order():
    files = [
        *log_files(200),
        LogFile("/z", 0, "other file"),
        LogFile("/zz", 0, problem="Permission denied"),
        LogFile(os.fsdecode(b"/\xff\xfe"), 5),
    ]

    batches = FileBatches(files)

    assert list(batches.each()) == [file for batch in batches for file in batch] == files
    assert batches.files == len(files)
    assert batches.sizes == [sum(file.size for file in batch) for batch in batches]


def test_a_batch_is_bounded_in_files_and_bytes_and_a_larger_file_is_alone():
    small, large = log_files(3 * BATCH_FILES), LogFile("/large", 2 * BATCH_BYTES)

    batches = FileBatches([*small, large, LogFile("/last", BATCH_BYTES)])

    assert [len(batch) for batch in batches] == [BATCH_FILES] * 3 + [1, 1]


def test_batches_with_standard_input_are_known():
    assert FileBatches([LogFile("-", 0), *log_files(100)]).own == [0]
    assert FileBatches(log_files(100)).own == []


def test_no_files_are_no_batches():
    assert list(FileBatches([])) == []


def test_a_file_takes_a_fraction_of_the_memory_of_its_path():
    tracemalloc.start()
    batches = FileBatches(log_files(5000, 1000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 40 * batches.files
