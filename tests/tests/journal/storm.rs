//! Random pipelines in bad weather: kills, meters that go away, destinations that fail, runs at once. At the
//! end every sink has every reading once, and the journal verifies.
//!
//! A failure names its seed; `GLUCOPIPE_STORM_SEED=7` repeats it as far as timing lets it.
//! `GLUCOPIPE_STORMS=200` runs many.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::Home;
use crate::table::{csv, read_parquet};

/// Storms of an ordinary test run, and what happens in each.
const STORMS: u64 = 4;
const EVENTS: u64 = 10;
/// Contents that the meter has had, one after the other.
const CONTENTS: u64 = 3;
const RECORDS: &str = "virtual:contour-next-usb?records=15&seed=";

/// The destinations there are: exporter, path, and keys of its own.
const SINKS: [(&str, &str, &str); 6] = [
    ("csv", "out/all.csv", ""),
    ("csv", "out/grows.csv", "mode = \"append\"\n"),
    ("csv", "out/merged.csv", "mode = \"merge\"\n"),
    ("jsonl", "out/all.jsonl", ""),
    ("parquet", "out/lake", ""),
    ("mailbox", "out/box.txt", ""),
];

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn nothing_is_lost_or_doubled_in_any_weather() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(seed) = number("GLUCOPIPE_STORM_SEED") {
        return storm(seed);
    }
    for seed in 1..=number("GLUCOPIPE_STORMS").unwrap_or(STORMS) {
        storm(seed);
    }
}

fn storm(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        dice.roll(2);
    }
    let home = Home::new();
    fs::create_dir(home.workspace.path().join("out")).expect("a folder");
    let sinks: BTreeSet<usize> = (0..=dice.roll(3))
        .map(|_| usize::try_from(dice.roll(SINKS.len() as u64)).expect("few"))
        .collect();
    let mut contents = 1;
    let mut said = Vec::new();
    for _ in 0..EVENTS {
        contents = (contents + dice.roll(2)).min(CONTENTS);
        let event = dice.roll(9);
        said.push(event);
        happen(&home, &mut dice, event, contents, &sinks);
    }
    // The weather clears.
    home.mood_of("out/box.mood", "");
    let mut expected = BTreeSet::new();
    for content in 1..=contents {
        write(&home, &format!("{RECORDS}{content}"), &sinks);
        let finished = home.run(&["run"]);
        let what = format!("seed {seed}, events {said:?}\n{}", finished.stderr);
        assert_eq!(finished.code, 0, "{what}");
        let device = format!("{RECORDS}{content}");
        let dump = csv(&home.run(&["dump", "--device", &device]).stdout);
        expected.extend(dump.texts("reading_id").into_iter().map(str::to_owned));
    }
    for &index in &sinks {
        let (exporter, path, _) = SINKS[index];
        let mut found = ids(&home, exporter, path);
        found.sort();
        let expected: Vec<String> = expected.iter().cloned().collect();
        assert_eq!(
            found, expected,
            "seed {seed}, events {said:?}, {exporter} {path}"
        );
    }
    home.verifies();
}

/// Writes the pipeline of a storm.
fn write(home: &Home, device: &str, sinks: &BTreeSet<usize>) {
    let mut text = format!(
        "[sources.meter]\ndevice = \"{device}\"\n\
         [transforms.local]\ntype = \"clock\"\ninputs = [\"meter\"]\ntimezone = \"Europe/Athens\"\n"
    );
    for index in sinks {
        let (exporter, path, keys) = SINKS[*index];
        text.push_str(&format!(
            "[sinks.s{index}]\nexporter = \"{exporter}\"\ninputs = [\"local\"]\npath = \"{path}\"\n{keys}"
        ));
    }
    home.workspace.write("pipeline.toml", &text);
}

/// One event of a storm. Exit codes are not looked at: what is there at the end counts.
fn happen(home: &Home, dice: &mut Dice, event: u64, contents: u64, sinks: &BTreeSet<usize>) {
    let device = format!("{RECORDS}{contents}");
    write(home, &device, sinks);
    let moods = ["fails", "leaves 4", "invents", ""];
    let mood = moods[usize::try_from(dice.roll(4)).expect("few")];
    home.mood_of("out/box.mood", mood);
    match event {
        0 => drop(home.run(&["run"])),
        1 => drop(home.run(&["replay"])),
        2..=4 => {
            let running = home.start(&["run"]);
            #[expect(
                clippy::disallowed_methods,
                reason = "any point will do, so none has an event"
            )]
            std::thread::sleep(Duration::from_millis(dice.roll(200)));
            running.kill();
        }
        5 => {
            let fault = ["mute", "unplug:4", "cut:9", "dead:2"];
            let fault = fault[usize::try_from(dice.roll(4)).expect("few")];
            write(home, &format!("{device}&fault={fault}"), sinks);
            drop(home.run(&["run"]));
        }
        6 => {
            // The folder of every destination is not there, and cannot be made.
            let (out, away) = (
                home.workspace.path().join("out"),
                home.workspace.path().join("away"),
            );
            fs::rename(&out, &away).expect("a folder");
            home.workspace.write("out", "in the way");
            drop(home.run(&["run"]));
            fs::remove_file(&out).expect("a file");
            fs::rename(&away, &out).expect("a folder");
        }
        7 => {
            let runs = [home.start(&["run"]), home.start(&["run"])];
            for run in runs {
                run.finish();
            }
        }
        _ => {
            home.mood_of("out/box.mood", "dies");
            // The exporter alone, or the program with it.
            let isolate = ["plugins.isolate=all", "plugins.isolate=none"];
            let isolate = isolate[usize::try_from(dice.roll(2)).expect("few")];
            home.start(&["run", "--set", isolate]).wait_out();
        }
    }
}

/// The ids at a destination, each as often as it is there.
fn ids(home: &Home, exporter: &str, path: &str) -> Vec<String> {
    let text = || home.workspace.read(path).unwrap_or_default();
    let of = |table: &crate::table::Table| {
        let ids = table.texts("reading_id").into_iter();
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    match exporter {
        "csv" => of(&csv(&text())),
        "jsonl" => text()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
            .map(|row| row["reading_id"].as_str().expect("an id").to_owned())
            .collect(),
        "mailbox" => text().lines().map(str::to_owned).collect(),
        _ => {
            let folder = home.workspace.path().join(path);
            let files = fs::read_dir(folder).into_iter().flatten().flatten();
            let files = files.map(|file| file.path());
            let files = files.filter(|file| file.extension().is_some_and(|end| end == "parquet"));
            files.flat_map(|file| of(&read_parquet(&file).0)).collect()
        }
    }
}
