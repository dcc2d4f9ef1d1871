//! The bad weather itself: a test in it shows something only if what is not synchronised is really lost.

use std::process::Command;

use glucopipe_tests::{ENDED, Weather, Workspace};

/// Writes a file twice, the second time without synchronising it, then gives it another name.
const WRITES: &str = "printf kept > file && sync file && printf lost >> file && mv file other && sync . && touch done";

/// What is left of a shell's work that ended with its change number `change`.
fn left(weather: Weather, script: &str, change: u64, seed: u64) -> (i32, [Option<String>; 3]) {
    let workspace = Workspace::new();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", script])
        .env("PATH", "/usr/bin:/bin")
        .current_dir(workspace.path());
    let output = weather
        .over(&shell, workspace.path(), change, seed)
        .output()
        .expect("it starts");
    let code = output.status.code().expect("an exit code");
    (
        code,
        ["file", "other", "done"].map(|name| workspace.read(name)),
    )
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn only_what_is_synchronised_outlives_a_power_cut() {
    if !Weather::comes() {
        return;
    }
    // Creating, writing, synchronising, writing, renaming, synchronising the folder, creating.
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let (code, files) = left(Weather::PowerCut, WRITES, 7, seed);
        assert_eq!(code, ENDED);
        let [file, other, done] = files;
        assert_eq!((file, done), (None, None));
        seen.insert(other);
    }
    assert_eq!(seen, [text("kept"), text("keptlost")].into());
    let (mut names, mut texts) = (0, 0);
    for seed in 0..40 {
        let (code, [file, other, _]) = left(Weather::PowerCut, WRITES, 6, seed);
        assert_eq!(code, ENDED);
        names += usize::from(file.is_some());
        texts += usize::from(file.or(other) == text("kept"));
    }
    assert!(
        (1..40).contains(&names) && (1..40).contains(&texts),
        "{names} {texts}"
    );
    // A kill loses nothing.
    let (code, files) = left(Weather::Kill, WRITES, 6, 1);
    assert_eq!((code, files), (ENDED, [None, text("keptlost"), None]));
}

#[test]
fn a_full_disk_and_a_read_only_one_refuse_what_they_should() {
    if !Weather::comes() {
        return;
    }
    let script = "printf a > file; printf b > other; mv file done; true";
    let (code, files) = left(Weather::DiskFull, script, 3, 1);
    assert_eq!((code, files), (0, [None, None, text("a")]));
    let (code, files) = left(Weather::ReadOnly, script, 3, 1);
    assert_eq!((code, files), (0, [text("a"), None, None]));
}
