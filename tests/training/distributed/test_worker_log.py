from ssdcore.training.distributed.worker_log import WorkerLog

NOISE = "[WARNING] ME(123:140,MainProcess):2026-11-24 a remark\n"


def test_whole_lines_come_once_and_remarks_never(tmp_path):
    path = tmp_path / "worker_0.log"
    log = WorkerLog(path)
    assert log.new_lines() == []
    path.write_text("one\n" + NOISE + "tw")
    assert log.new_lines() == ["one"]
    assert log.new_lines() == []
    path.write_text("one\n" + NOISE + "two\nthree")
    assert log.new_lines() == ["two"]
    assert log.new_lines(ended=True) == ["three"]


def test_the_end_of_a_log(tmp_path):
    path = tmp_path / "worker_0.log"
    assert WorkerLog(path).last_lines(2) == []
    path.write_bytes(b"a\nb\n\xff\n" + NOISE.encode())
    assert WorkerLog(path).last_lines(2) == ["b", "\ufffd"]
