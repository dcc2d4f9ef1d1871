//! The journal keeps everything, changes nothing, and says who has what.

use std::collections::BTreeSet;
use std::time::Duration;

use glucopipe_sdk::driver::SetAside;
use glucopipe_sdk::exporter::Wants;
use rusqlite::Connection;

use super::testing::{DRIVER, SERIAL, at, destination, home, read, session};
use super::*;
use crate::cancel::{Cancel, Reason};
use crate::problem::Code;

#[test]
fn a_read_comes_back_as_it_was_taken_in() {
    let mut home = home();
    let session = session(SERIAL);
    let batch = read(&session, &[(1, 93), (2, 250), (3, 41)]);
    let recorded = home.journal.record(&session, &batch, &[]).unwrap();
    assert_eq!((recorded.new, recorded.conflicts), (3, 0));
    let stored = home.journal.load(recorded.session).unwrap();
    assert_eq!(stored.readings, batch);
    assert_eq!(stored.origin.device, session.device);
    let meters = home.journal.meters_of("/p.toml", "meter");
    assert_eq!(meters.unwrap(), [recorded.meter]);
    assert_eq!(
        home.journal.sessions(&[recorded.meter]).unwrap(),
        [recorded.session]
    );
}

#[test]
fn what_is_known_stays_with_the_read_that_first_had_it() {
    let mut home = home();
    let mut session = session(SERIAL);
    let first = read(&session, &[(1, 93), (2, 250)]);
    let first_read = home.journal.record(&session, &first, &[]).unwrap();
    session.clock_offset_s = Some(600);
    let second = read(&session, &[(1, 93), (2, 250), (3, 41)]);
    let second_read = home.journal.record(&session, &second, &[]).unwrap();
    assert_eq!((second_read.new, second_read.conflicts), (1, 0));
    assert_eq!(
        home.journal.load(first_read.session).unwrap().readings,
        first
    );
    let new = home.journal.load(second_read.session).unwrap().readings;
    assert_eq!(new, second.slice(2, 1));
    // A read without anything new is kept, and brings no group of its own.
    let third = home.journal.record(&session, &second, &[]).unwrap();
    assert_eq!(third.new, 0);
    let sessions = home.journal.sessions(&[third.meter]).unwrap();
    assert_eq!(sessions, [first_read.session, second_read.session]);
}

#[test]
fn a_changed_value_is_kept_beside_and_told_once() {
    let mut home = home();
    let session = session(SERIAL);
    let first = read(&session, &[(1, 93), (2, 250)]);
    let recorded = home.journal.record(&session, &first, &[]).unwrap();
    let changed = read(&session, &[(1, 94), (2, 250)]);
    let conflicts =
        |journal: &mut Journal| journal.record(&session, &changed, &[]).unwrap().conflicts;
    assert_eq!(conflicts(&mut home.journal), 1);
    assert_eq!(conflicts(&mut home.journal), 0, "it is known by now");
    assert_eq!(home.journal.load(recorded.session).unwrap().readings, first);
    assert_eq!(home.journal.stats().unwrap().conflicts, 1);
    // Another frame alone is none: it may hold the position of the record.
    let mut moved = first.columns().to_vec();
    let last = moved.len() - 1;
    moved[last] = std::sync::Arc::new(arrow::array::BinaryArray::from(vec![&b"x"[..], b"y"]));
    let moved = arrow::array::RecordBatch::try_new(first.schema(), moved).unwrap();
    assert_eq!(
        home.journal
            .record(&session, &moved, &[])
            .unwrap()
            .conflicts,
        0
    );
}

#[test]
fn records_set_aside_are_kept_once() {
    let mut home = home();
    let session = session(SERIAL);
    let batch = read(&session, &[]);
    for position in [3, 4] {
        let odd = SetAside::new(position, "odd", b"\x01\x02");
        home.journal.record(&session, &batch, &[odd]).unwrap();
    }
    assert_eq!(home.journal.stats().unwrap().set_aside, 1);
}

#[test]
fn a_sink_gets_what_it_has_not_answered_for() {
    let mut home = home();
    let session = session(SERIAL);
    let recorded = home.journal.record(
        &session,
        &read(&session, &[(1, 93), (2, 250), (3, 41)]),
        &[],
    );
    let meter = recorded.unwrap().meter;
    let sink = home.journal.sink(&destination("sheet"), &[meter]).unwrap();
    let other = home.journal.sink(&destination("lake"), &[]).unwrap();
    assert_eq!(home.journal.sink(&destination("sheet"), &[]).unwrap(), sink);
    let pending = home.journal.pending(sink, &[meter], false, None).unwrap();
    assert_eq!((pending.readings.len(), pending.sessions.len()), (3, 1));
    let keys: BTreeSet<i64> = pending.readings.values().copied().collect();
    let answers: Vec<Answer> = keys
        .iter()
        .take(2)
        .enumerate()
        .map(|(index, &reading)| Answer {
            reading,
            refused: (index == 1).then(|| "in the future".to_owned()),
        })
        .collect();
    let refused = home.journal.acknowledge(sink, 7, &answers).unwrap();
    assert_eq!(refused, [answers[1].reading]);
    assert_eq!(
        home.journal.acknowledge(sink, 8, &answers).unwrap(),
        [0; 0],
        "told before"
    );
    let left = home.journal.pending(sink, &[meter], false, None).unwrap();
    assert_eq!(left.readings.len(), 1);
    assert_eq!(
        home.journal
            .pending(other, &[meter], false, None)
            .unwrap()
            .readings
            .len(),
        3
    );
    assert_eq!(
        home.journal
            .pending(sink, &[meter], true, None)
            .unwrap()
            .readings
            .len(),
        3
    );
    let since = Some(at(2).and_utc().timestamp_micros());
    assert_eq!(
        home.journal
            .pending(sink, &[meter], true, since)
            .unwrap()
            .readings
            .len(),
        2
    );
    assert_eq!(
        home.journal
            .pending(sink, &[], true, None)
            .unwrap()
            .readings
            .len(),
        0
    );
    let stats = home.journal.stats().unwrap();
    assert_eq!(
        (stats.sinks[0].acknowledged, stats.sinks[0].refused),
        (1, 1)
    );
}

/// What is left out is left out by one way only; whoever wants revisions has nothing yet of another way, unless
/// that gives readings other ids.
#[test]
fn another_way_begins_anew() {
    let mut home = home();
    let session = session(SERIAL);
    let batch = read(&session, &[(1, 93), (2, 250), (3, 41)]);
    let meter = home.journal.record(&session, &batch, &[]).unwrap().meter;
    let serve = |journal: &mut Journal, wants: Wants, way: &str| {
        let destination = Destination {
            wants,
            way: Some(way.into()),
            ..destination("sheet")
        };
        let sink = journal.sink(&destination, &[meter]).unwrap();
        let pending = journal.pending(sink, &[meter], false, None).unwrap();
        let mut keys: Vec<i64> = pending.readings.into_values().collect();
        keys.sort_unstable();
        (sink, keys)
    };
    let journal = &mut home.journal;
    let (sink, keys) = serve(journal, Wants::New, "a");
    journal.leave_out(sink, &keys[..1]).unwrap();
    let answer = |&reading: &i64| Answer {
        reading,
        refused: None,
    };
    let answers: Vec<Answer> = keys[1..].iter().map(answer).collect();
    journal.acknowledge(sink, 7, &answers).unwrap();
    assert_eq!(serve(journal, Wants::New, "a").1, [0; 0]);
    let settled = |journal: &Journal| {
        let count = "SELECT count(*) FROM settled";
        journal
            .read(|sqlite| ledger::count(sqlite, count, []))
            .unwrap()
    };
    assert_eq!(settled(journal), 1, "nobody looks at it again");
    let stats = journal.stats().unwrap();
    assert_eq!((stats.sinks[0].left_out, stats.sinks[0].pending), (1, 0));
    assert_eq!(journal.verify().unwrap().findings, [""; 0]);
    // All of it again on somebody's word, and what was left out by another way.
    assert_eq!(
        journal
            .pending(sink, &[meter], true, None)
            .unwrap()
            .readings
            .len(),
        3
    );
    assert_eq!(serve(journal, Wants::New, "b").1, keys[..1]);
    journal.acknowledge(sink, 8, &[answer(&keys[0])]).unwrap();
    assert_eq!(serve(journal, Wants::Revised, "b").1, [0; 0]);
    assert_eq!(serve(journal, Wants::Revised, "c").1, keys);
    let answers: Vec<Answer> = keys.iter().map(answer).collect();
    journal.acknowledge(sink, 9, &answers).unwrap();
    assert_eq!(serve(journal, Wants::Revised, "renamed:d").1, [0; 0]);
    assert_eq!(serve(journal, Wants::Revised, "e").1, [0; 0]);
    assert_eq!(journal.verify().unwrap().findings, [""; 0]);
}

#[test]
fn meters_are_found_by_serial_and_by_source() {
    let mut home = home();
    let mut hers = session("H1");
    let mut his = session("H2");
    his.transport = "virtual".into();
    for (session, source) in [(&mut hers, "hers"), (&mut his, "his")] {
        session.source.as_mut().unwrap().source = source.into();
    }
    let meter = |journal: &mut Journal, session: &Session| {
        let batch = read(session, &[(1, 93)]);
        journal.record(session, &batch, &[]).unwrap().meter
    };
    let (a, b) = (
        meter(&mut home.journal, &hers),
        meter(&mut home.journal, &his),
    );
    let journal = &home.journal;
    assert_eq!(journal.meter(DRIVER, "H2").unwrap(), Some(b));
    assert_eq!(journal.meter("contour", "H2").unwrap(), None);
    assert_eq!(journal.meters_with_serial(None, "H1").unwrap(), [a]);
    assert_eq!(
        journal.meters_with_serial(Some("contour"), "H1").unwrap(),
        [0; 0]
    );
    assert_eq!(journal.meters_of("/p.toml", "his").unwrap(), [b]);
    assert_eq!(journal.meters_of("/other.toml", "his").unwrap(), [0; 0]);
    assert_eq!(
        journal.real_meters(None).unwrap(),
        [(a, "Verio".to_owned())]
    );
}

#[test]
fn missing_records_are_named_before_a_meter_is_cleared() {
    let mut home = home();
    let session = session(SERIAL);
    home.journal
        .record(&session, &read(&session, &[(1, 93), (2, 250)]), &[])
        .unwrap();
    let keys = read(&session, &[(1, 93), (2, 250), (3, 41)]);
    let keys = glucopipe_sdk::batch::Texts::of(&keys, "record_key").unwrap();
    let all: Vec<&str> = (0..3).map(|row| keys.get(row).unwrap()).collect();
    let missing = |serial, keys: &[&str]| {
        home.journal
            .missing(DRIVER, serial, keys.iter().copied())
            .unwrap()
    };
    assert_eq!(missing(SERIAL, &all[..2]), [""; 0]);
    assert_eq!(missing(SERIAL, &all), all[2..]);
    assert_eq!(missing("OTHER", &all[..1]), all[..1]);
}

#[test]
fn events_come_back_in_their_order() {
    let mut home = home();
    let now = chrono::DateTime::from_timestamp(1_780_000_000, 0).unwrap();
    let events = [
        Event::ClockSet {
            before: Some(at(0)),
            after: at(5),
        },
        Event::Erased { records: 7 },
    ];
    for event in &events {
        home.journal.note(DRIVER, SERIAL, now, event).unwrap();
    }
    let noted = home.journal.events(DRIVER, SERIAL).unwrap();
    assert_eq!(
        noted.iter().map(|one| &one.event).collect::<Vec<_>>(),
        [&events[0], &events[1]]
    );
    assert!(noted.iter().all(|one| one.at == now));
    assert_eq!(home.journal.events(DRIVER, "OTHER").unwrap(), []);
}

#[test]
fn a_command_holds_the_path_as_it_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anna's records/journal.db");
    let journal = Journal::open(&path).unwrap();
    let typed = path.display().to_string().replace('\'', r"'\''");
    let command = format!("glucopipe journal verify --path '{typed}'");
    assert_eq!(journal.command("verify"), command);
}

#[test]
fn a_journal_verifies_and_a_changed_key_is_found() {
    let mut home = home();
    let session = session(SERIAL);
    home.journal
        .record(&session, &read(&session, &[(1, 93), (2, 250)]), &[])
        .unwrap();
    let place = home.journal.path().display();
    let command = format!("glucopipe journal verify --path {place}");
    assert_eq!(home.journal.command("verify"), command);
    let well = home.journal.verify().unwrap();
    assert_eq!((well.readings, well.findings.len()), (2, 0));
    let sqlite = Connection::open(home.journal.path()).unwrap();
    sqlite
        .execute("UPDATE readings SET record_key = '9' WHERE reading = 1", [])
        .unwrap();
    sqlite
        .execute_batch(
            "INSERT INTO sinks VALUES (1, 'x', 'csv', 'new', 'p', 's'); INSERT INTO settled VALUES (1, 1)",
        )
        .unwrap();
    let found = home.journal.verify().unwrap().findings;
    assert!(
        found.len() == 2
            && found[0].contains("2 readings would never be offered")
            && found[1].contains("has not the id"),
        "{found:?}"
    );
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/glucopipe/journal.db");
    let mut journal = Journal::open(&path).unwrap();
    let _turn = journal.turn(&Cancel::new(), Duration::ZERO, || {}).unwrap();
    let session = session(SERIAL);
    journal
        .record(&session, &read(&session, &[(1, 93)]), &[])
        .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in [
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
        "journal.db.lock",
    ] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    for folder in path.ancestors().skip(1).take(2) {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    // A file that was left open to others is closed to them.
    drop(journal);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    Journal::open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_is_no_journal_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(
        path("text"),
        "it is a text, and quite a long one, longer than a header. ".repeat(20),
    )
    .unwrap();
    Connection::open(path("other"))
        .unwrap()
        .execute("CREATE TABLE cats (name TEXT)", [])
        .unwrap();
    Journal::open(&path("newer")).unwrap();
    let sqlite = Connection::open(path("newer")).unwrap();
    sqlite.pragma_update(None, "user_version", 99).unwrap();
    drop(sqlite);
    for (name, code) in [
        ("text", Code::JOURNAL_OPEN),
        ("other", Code::JOURNAL_OPEN),
        ("newer", Code::JOURNAL_NEWER),
        ("text/below", Code::JOURNAL_OPEN),
    ] {
        let before = std::fs::read(path(name)).ok();
        for opened in [Journal::open(&path(name)), Journal::preview(&path(name))] {
            let Err(problem) = opened else {
                // A preview of what is not there is empty.
                assert_eq!(name, "text/below");
                continue;
            };
            assert_eq!(problem.code, code, "{name}");
        }
        assert_eq!(std::fs::read(path(name)).ok(), before, "{name}");
    }
}

/// What is refused keeps its mode too; an empty file is one that has lost what was in it, and a pipe is not waited
/// for.
#[cfg(unix)]
#[test]
fn what_is_refused_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text"), "no journal at all. ".repeat(100)).unwrap();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    for (name, code) in [
        ("text", Code::JOURNAL_OPEN),
        ("empty", Code::JOURNAL_DAMAGED),
        ("folder", Code::JOURNAL_OPEN),
        ("pipe", Code::JOURNAL_OPEN),
    ] {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path(name), open).unwrap();
        let looked = Journal::look(&path(name)).map(drop);
        let previewed = Journal::preview(&path(name)).map(drop);
        for opened in [Journal::open(&path(name)).map(drop), looked, previewed] {
            assert_eq!(opened.unwrap_err().code, code, "{name}");
        }
        let found = std::fs::metadata(path(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o755, "{name}");
    }
    assert_eq!(std::fs::read(path("empty")).unwrap(), b"");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

/// Looking makes nothing and changes nothing, of this version and of the first, where nothing can be written.
#[test]
fn looking_changes_nothing() {
    let mut home = home();
    let session = session(SERIAL);
    home.journal
        .record(&session, &read(&session, &[(1, 93)]), &[])
        .unwrap();
    let path = home.journal.path().to_owned();
    let readings = |path: &Path| {
        let journal = Journal::look(path).unwrap().unwrap();
        assert_eq!(journal.verify().unwrap().findings, [""; 0]);
        journal.stats().unwrap().readings
    };
    assert_eq!(readings(&path), 1, "while another one writes");
    // What a run left that was killed.
    let left = home.folder.path().join("left.db");
    let beside = |path: &Path, end: &str| {
        let mut name = path.to_owned().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    for end in ["", "-wal"] {
        std::fs::copy(beside(&path, end), beside(&left, end)).unwrap();
    }
    assert_eq!(readings(&left), 1);
    for end in ["", "-wal"] {
        let [kept, before] = [&left, &path].map(|path| std::fs::read(beside(path, end)).unwrap());
        assert_eq!(kept, before, "{end}");
    }
    drop(home.journal);
    let bytes = std::fs::read(&path).unwrap();
    // Memory that readers share cannot be made where a folder has its name, nor on a medium that is read only.
    std::fs::create_dir(beside(&path, "-shm")).unwrap();
    assert_eq!(readings(&path), 1);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let old = home.folder.path().join("old.db");
    std::fs::write(&old, VERSION_1).unwrap();
    assert_eq!(readings(&old), 4);
    assert_eq!(Journal::versions(&old).unwrap(), (1, schema::VERSION));
    assert_eq!(std::fs::read(&old).unwrap(), VERSION_1);
    let nowhere = home.folder.path().join("nowhere/journal.db");
    assert!(Journal::look(&nowhere).unwrap().is_none());
    assert!(!nowhere.parent().unwrap().exists());
}

#[test]
fn a_preview_changes_nothing() {
    let mut home = home();
    let session = session(SERIAL);
    home.journal
        .record(&session, &read(&session, &[(1, 93)]), &[])
        .unwrap();
    let path = home.journal.path().to_owned();
    let look = |path: &Path| {
        let mut preview = Journal::preview(path).unwrap();
        let recorded = preview
            .record(&session, &read(&session, &[(1, 93), (2, 94)]), &[])
            .unwrap();
        assert_eq!(recorded.new, 1);
        let _turn = preview.turn(&Cancel::new(), Duration::ZERO, || {}).unwrap();
    };
    // With the journal open, and with it closed.
    look(&path);
    assert_eq!(home.journal.stats().unwrap().readings, 1);
    drop(home.journal);
    let files = || {
        let names = std::fs::read_dir(home.folder.path()).unwrap();
        names
            .map(|name| name.unwrap().file_name())
            .collect::<BTreeSet<_>>()
    };
    let (before, bytes) = (files(), std::fs::read(&path).unwrap());
    look(&path);
    assert_eq!((files(), std::fs::read(&path).unwrap()), (before, bytes));
    let nowhere = home.folder.path().join("a ?#%/journal.db");
    assert_eq!(
        Journal::preview(&nowhere)
            .unwrap()
            .stats()
            .unwrap()
            .readings,
        0
    );
    assert!(!nowhere.parent().unwrap().exists());
    // A name that a URI would take for something else.
    Journal::open(&nowhere)
        .unwrap()
        .record(&session, &read(&session, &[(1, 93)]), &[])
        .unwrap();
    assert_eq!(
        Journal::preview(&nowhere)
            .unwrap()
            .stats()
            .unwrap()
            .readings,
        1
    );
}

/// A full disk is told as what it is, and nothing of the read is kept.
#[test]
fn a_full_disk_loses_nothing_that_was_there() {
    let mut home = home();
    let session = session(SERIAL);
    home.journal
        .record(&session, &read(&session, &[(1, 93)]), &[])
        .unwrap();
    let pages = |journal: &Journal, name: &str| -> i64 {
        let query = |row: &rusqlite::Row<'_>| row.get(0);
        journal
            .connection
            .pragma_query_value(None, name, query)
            .unwrap()
    };
    let most = pages(&home.journal, "page_count");
    let limit = |journal: &Journal, most: i64| {
        let set = journal
            .connection
            .pragma_update_and_check(None, "max_page_count", most, |_| Ok(()));
        set.unwrap();
    };
    limit(&home.journal, most);
    let many: Vec<(u64, u32)> = (1..=2000).map(|number| (number, 93)).collect();
    let refused = home.journal.record(&session, &read(&session, &many), &[]);
    let problem = refused.unwrap_err();
    assert_eq!(problem.code, Code::JOURNAL_WRITE);
    assert_eq!(problem.hint.as_deref(), Some("make room on its disk"));
    assert_eq!(home.journal.stats().unwrap().readings, 1);
    assert_eq!(home.journal.stats().unwrap().sessions, 1);
    limit(&home.journal, most + 10_000);
    let kept = home.journal.record(&session, &read(&session, &many), &[]);
    assert_eq!(kept.unwrap().new, 1999);
    assert_eq!(home.journal.verify().unwrap().findings, [""; 0]);
}

#[test]
fn one_delivers_at_a_time() {
    let home = home();
    let other = Journal::open(home.journal.path()).unwrap();
    let turn = home
        .journal
        .turn(&Cancel::new(), Duration::ZERO, || {})
        .unwrap();
    let refused = other.turn(&Cancel::new(), Duration::ZERO, || {});
    assert_eq!(refused.unwrap_err().code, Code::JOURNAL_BUSY);
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let stopped = other.turn(&cancel, Duration::from_secs(60), move || {
        stop.set(Reason::Interrupted);
    });
    assert_eq!(stopped.unwrap_err().code, Code::INTERRUPTED);
    let (sender, waits) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let turn = other.turn(&Cancel::new(), Duration::from_secs(60), move || {
            let _ = sender.send(());
        });
        turn.is_ok()
    });
    waits.recv().unwrap();
    drop(turn);
    assert!(waiting.join().unwrap());
}

/// The file that version 1 wrote: every version opens it, and finds in it what was put there.
const VERSION_1: &[u8] = include_bytes!("fixtures/v1.db");

/// A journal with something in every table.
fn fill(journal: &mut Journal) {
    let mut session = session(SERIAL);
    let moment =
        |seconds: i64| chrono::DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap();
    session.complete = false;
    session.reasons = vec!["the meter holds 4 records, 3 came".into()];
    session.expected = Some(4);
    let first = read(&session, &[(1, 93), (2, 250), (3, 41)]);
    let odd = SetAside::new(4, "expected 16 bytes, got 2", b"\x01\x02");
    let recorded = journal.record(&session, &first, &[odd]).unwrap();
    session.complete = true;
    session.reasons.clear();
    session.transcript = Some("ab".repeat(32));
    session.read_at_us += 3_600_000_000;
    let second = read(&session, &[(1, 93), (2, 251), (3, 41), (4, 120)]);
    journal.record(&session, &second, &[]).unwrap();
    let sink = journal
        .sink(&destination("sheet"), &[recorded.meter])
        .unwrap();
    let pending = journal
        .pending(sink, &[recorded.meter], false, None)
        .unwrap();
    let mut readings: Vec<i64> = pending.readings.into_values().collect();
    readings.sort_unstable();
    let answer = |(index, reading): (usize, i64)| Answer {
        reading,
        refused: (index == 1).then(|| "in the future".into()),
    };
    let answers: Vec<Answer> = readings
        .into_iter()
        .take(3)
        .enumerate()
        .map(answer)
        .collect();
    let told = moment(60).timestamp_micros();
    journal.acknowledge(sink, told, &answers).unwrap();
    let set = Event::ClockSet {
        before: Some(at(0)),
        after: at(5),
    };
    journal.note(DRIVER, SERIAL, moment(120), &set).unwrap();
    journal
        .note(DRIVER, SERIAL, moment(180), &Event::Erased { records: 4 })
        .unwrap();
}

fn exported(journal: &Journal) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
        true
    };
    journal.export(&mut line).unwrap();
    text
}

/// For whoever makes a new version: the file of the version before is made once, and never again.
#[test]
#[ignore = "writes a fixture"]
fn make_the_file_of_version_2() {
    assert_eq!(schema::VERSION, 2, "its time has passed");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/journal/fixtures/v2.db");
    let _ = std::fs::remove_file(path);
    fill_further(&mut Journal::open(Path::new(path)).unwrap());
}

/// The same, with what version 2 has besides: what waits is left out instead.
fn fill_further(journal: &mut Journal) {
    fill(journal);
    let meter = journal.meter(DRIVER, SERIAL).unwrap().unwrap();
    let destination = Destination {
        way: Some("a way".into()),
        ..destination("sheet")
    };
    let sink = journal.sink(&destination, &[meter]).unwrap();
    let pending = journal.pending(sink, &[meter], false, None).unwrap();
    let left_out: Vec<i64> = pending.readings.into_values().collect();
    journal.leave_out(sink, &left_out).unwrap();
}

#[test]
fn a_journal_of_version_2_opens_with_all_that_is_in_it() {
    let home = home();
    let old = home.folder.path().join("old.db");
    std::fs::write(&old, include_bytes!("fixtures/v2.db")).unwrap();
    let old = Journal::open(&old).unwrap();
    assert_eq!(old.verify().unwrap().findings, [""; 0]);
    let sink = &old.stats().unwrap().sinks[0];
    assert_eq!((sink.left_out, sink.pending), (1, 0));
    let mut new = home.journal;
    fill_further(&mut new);
    assert_eq!(exported(&new), exported(&old));
}

#[test]
fn a_journal_of_version_1_opens_with_all_that_is_in_it() {
    let home = home();
    let old = home.folder.path().join("old.db");
    std::fs::write(&old, VERSION_1).unwrap();
    let mut old = Journal::open(&old).unwrap();
    let found = old.verify().unwrap();
    assert_eq!((found.readings, found.findings.len()), (4, 0), "{found:?}");
    insta::assert_snapshot!(exported(&old));
    let mut new = home.journal;
    fill(&mut new);
    assert_eq!(
        exported(&new),
        exported(&old),
        "this version writes the same"
    );
    // It goes on where it was left.
    let meter = old.meter(DRIVER, SERIAL).unwrap().unwrap();
    let sink = old.sink(&destination("sheet"), &[meter]).unwrap();
    let pending = old.pending(sink, &[meter], false, None).unwrap();
    assert_eq!((pending.readings.len(), pending.sessions.len()), (1, 1));
    assert_eq!(old.load(1).unwrap().readings.num_rows(), 3);
}
