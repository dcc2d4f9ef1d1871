//! Random pipelines in bad weather: kills, power cuts, full and read-only disks, meters that go away, servers and
//! other destinations that fail, runs at once. At the end every sink has every reading once, and the journal
//! verifies.
//!
//! A failure names its seed; `GLUCOPIPE_STORM_SEED=7` repeats it. `GLUCOPIPE_STORMS=200` runs many.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use glucopipe_tests::{ENDED, Finished, Running, Weather};
use glucopipe_tests_nightscout::{API_SECRET, Fault, Site};

use super::Home;
use crate::table::{Table, csv, read_parquet};

/// Storms of an ordinary test run, and what happens in each.
const STORMS: u64 = 4;
const EVENTS: u64 = 10;
/// Changes of files in a run are about so many.
const CHANGES: u64 = 170;

/// What a meter holds, one after the other; the times of the tests are the same.
struct Meter {
    contents: [&'static str; 3],
    faults: [&'static str; 4],
}

const METERS: [Meter; 2] = [
    Meter {
        contents: [
            "contour-next-usb?records=15&seed=1",
            "contour-next-usb?records=15&seed=2",
            "contour-next-usb?records=15&seed=3",
        ],
        faults: ["mute", "unplug:4", "cut:9", "dead:2"],
    },
    // The second goes on where the first ends, the third is of a meter that was exchanged.
    Meter {
        contents: [
            "verio-flex?records=15",
            "verio-flex?records=15&fault=count:4",
            "verio-flex?records=15&seed=9",
        ],
        faults: ["unplug:3", "unplug:14", "crc-forever:12", "status:15"],
    },
];

/// The destinations there are: exporter, path, and keys of its own.
const SINKS: [(&str, &str, &str); 7] = [
    ("csv", "out/all.csv", ""),
    ("csv", "out/grows.csv", "mode = \"append\""),
    ("csv", "out/merged.csv", "mode = \"merge\""),
    ("jsonl", "out/all.jsonl", ""),
    (
        "parquet",
        "out/lake",
        "partition_by = [\"month\"]\ncompact = true",
    ),
    ("mailbox", "out/box.txt", ""),
    ("nightscout", "", "retries = 1\nretry_delay_ms = 1"),
];
/// What stands between the meter and the sinks, besides the time zone.
const TRANSFORMS: [&str; 3] = [
    "",
    "[transforms.some]\ntype = \"filter\"\ninputs = [\"local\"]\nkinds = [\"glucose\"]\n",
    "[transforms.some]\ntype = \"units\"\ninputs = [\"local\"]\nto = \"mmol/L\"\n",
];

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            dice.roll(2);
        }
        dice
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[usize::try_from(self.roll(things.len() as u64)).expect("few")]
    }
}

#[test]
fn nothing_is_lost_or_doubled_in_any_weather() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(seed) = number("GLUCOPIPE_STORM_SEED") {
        return Storm::new(seed).pass();
    }
    for seed in 1..=number("GLUCOPIPE_STORMS").unwrap_or(STORMS) {
        Storm::new(seed).pass();
    }
}

/// A pipeline, its meter, and its destinations.
struct Storm {
    seed: u64,
    dice: Dice,
    home: Home,
    site: Site,
    meter: &'static Meter,
    transform: &'static str,
    sinks: BTreeSet<usize>,
    /// How many contents the meter has had.
    contents: usize,
    said: Vec<String>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let home = Home::new();
        home.workspace.install("exporter_nightscout");
        fs::create_dir(home.workspace.path().join("out")).expect("a folder");
        let sinks = (0..=dice.roll(3)).map(|_| dice.roll(SINKS.len() as u64));
        let sinks = sinks.map(|sink| usize::try_from(sink).expect("few"));
        let sinks = sinks.collect();
        Self {
            seed,
            meter: dice.pick(&METERS),
            transform: dice.pick::<&str>(&TRANSFORMS),
            sinks,
            dice,
            home,
            site: site(),
            contents: 1,
            said: Vec::new(),
        }
    }

    fn pass(mut self) {
        for _ in 0..EVENTS {
            self.contents = (self.contents + usize::from(self.dice.roll(2) == 1)).min(3);
            self.write("");
            let mood = *self.dice.pick(&["fails", "leaves 4", "invents", ""]);
            self.home.mood_of("out/box.mood", mood);
            let faults = [Fault::Status(503), Fault::DropAfter, Fault::HalfEcho];
            let fault = self.dice.pick(&faults).clone();
            self.site.instead(None);
            self.site.plan(&[fault]);
            self.happen();
        }
        // The weather clears.
        self.home.mood_of("out/box.mood", "");
        self.site.clear();
        let all = self.contents;
        let mut expected = BTreeSet::new();
        for contents in 1..=all {
            self.contents = contents;
            self.write("");
            let finished = self.run(&["run"]);
            assert_eq!(finished.code, 0, "{}\n{}", self.story(), finished.stderr);
            expected.extend(self.held());
        }
        for &sink in &self.sinks {
            let (exporter, path, _) = SINKS[sink];
            let expected = expected
                .iter()
                .filter(|(_, fits)| *fits || exporter != "nightscout");
            let mut expected: Vec<&String> = expected.map(|(id, _)| id).collect();
            expected.dedup();
            let mut found = self.ids(exporter, path);
            found.sort();
            let found: Vec<&String> = found.iter().collect();
            assert_eq!(found, expected, "{}, {exporter} {path}", self.story());
        }
        self.home.verifies();
    }

    fn story(&self) -> String {
        format!("seed {}, {}", self.seed, self.said.join(", "))
    }

    fn device(&self) -> String {
        format!("virtual:{}", self.meter.contents[self.contents - 1])
    }

    /// Writes the pipeline.
    fn write(&self, fault: &str) {
        let (device, transform) = (self.device(), self.transform);
        let input = if transform.is_empty() {
            "local"
        } else {
            "some"
        };
        let mut text = format!(
            "[sources.meter]\ndevice = \"{device}{fault}\"\n\
             [transforms.local]\ntype = \"clock\"\ninputs = [\"meter\"]\ntimezone = \"Europe/Athens\"\n\
             {transform}"
        );
        for &sink in &self.sinks {
            let (exporter, path, keys) = SINKS[sink];
            let place = match exporter {
                "nightscout" => format!(
                    "url = \"{}\"\napi_secret = {{ env = \"NIGHTSCOUT_API_SECRET\" }}",
                    self.site.url()
                ),
                _ => format!("path = \"{path}\""),
            };
            text.push_str(&format!(
                "[sinks.s{sink}]\nexporter = \"{exporter}\"\ninputs = [\"{input}\"]\n{place}\n{keys}\n"
            ));
        }
        self.home.workspace.write("pipeline.toml", &text);
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.home.command_at("2026-11-01T12:00:00Z", arguments);
        command.env("NIGHTSCOUT_API_SECRET", API_SECRET);
        command
    }

    fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    /// One event. Exit codes are not looked at: what is there at the end counts.
    fn happen(&mut self) {
        let event = self.dice.roll(13);
        let weather = match event {
            3..=5 => Some(Weather::Kill),
            6..=8 => Some(Weather::PowerCut),
            9 => Some(Weather::DiskFull),
            10 => Some(Weather::ReadOnly),
            _ => None,
        };
        self.said.push(format!("{event}"));
        if let Some(weather) = weather.filter(|_| Weather::comes()) {
            return self.brave(weather);
        }
        match event {
            0 => drop(self.run(&["run"])),
            1 => drop(self.run(&["replay"])),
            2 => {
                let fault = format!("&fault={}", self.dice.pick(&self.meter.faults));
                self.write(&fault);
                drop(self.run(&["run"]));
            }
            11 => {
                let runs = [self.start(&["run"]), self.start(&["run"])];
                for run in runs {
                    run.finish();
                }
            }
            12 => {
                self.home.mood_of("out/box.mood", "dies");
                self.site.instead(Some(Fault::Status(500)));
                // The exporter alone, or the program with it.
                let isolate = *self
                    .dice
                    .pick(&["plugins.isolate=all", "plugins.isolate=none"]);
                self.start(&["run", "--set", isolate]).wait_out();
            }
            _ => {
                let running = self.start(&["run"]);
                #[expect(
                    clippy::disallowed_methods,
                    reason = "any point will do, so none has an event"
                )]
                std::thread::sleep(Duration::from_millis(self.dice.roll(200)));
                running.kill();
            }
        }
    }

    /// A run in bad weather.
    fn brave(&mut self, weather: Weather) {
        let change = 1 + self.dice.roll(CHANGES);
        let command = self.command(&["run"]);
        let folder = self.home.workspace.path();
        let ended = Running::start(&mut weather.over(&command, folder, change, self.seed)).finish();
        let last = self.said.last_mut().expect("an event");
        *last = format!("{weather:?} at {change}: {}", ended.code);
        assert!(
            // 8: the box invents a reading, and is the only sink.
            [0, 1, 6, 8, ENDED].contains(&ended.code),
            "{}\n{}",
            self.story(),
            ended.stderr
        );
        if weather == Weather::PowerCut && ended.code == ENDED {
            // Memory that processes shared, and no disk has.
            let shared = folder.join("state/glucopipe/journal.db-shm");
            drop(fs::remove_file(shared));
        }
    }

    /// Ids of what the meter holds and the transforms leave; whether it has a place on a Nightscout site.
    fn held(&self) -> Vec<(String, bool)> {
        let finished = self.run(&["dump", "--device", &self.device()]);
        let dump = csv(&finished.stdout);
        let column = |name: &str| dump.texts(name);
        let (ids, kinds, ranges) = (column("reading_id"), column("kind"), column("range"));
        let rows = ids.into_iter().zip(kinds.into_iter().zip(ranges));
        let filtered = self.transform == TRANSFORMS[1];
        rows.filter(|(_, (kind, _))| !filtered || *kind == "glucose")
            .map(|(id, (kind, range))| (id.to_owned(), kind == "glucose" && range == "in"))
            .collect()
    }

    /// The ids at a destination, each as often as it is there.
    fn ids(&self, exporter: &str, path: &str) -> Vec<String> {
        let text = || self.home.workspace.read(path).unwrap_or_default();
        let of = |table: &Table| {
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
            "nightscout" => {
                let entries = self.site.entries();
                let ids = entries.iter().map(|entry| entry["identifier"].as_str());
                ids.map(|id| id.expect("an id").to_owned()).collect()
            }
            _ => {
                let folder = self.home.workspace.path().join(path);
                let parts = fs::read_dir(folder).into_iter().flatten().flatten();
                let parts = parts.filter(|part| part.path().is_dir());
                let files = parts.flat_map(|part| fs::read_dir(part.path()).expect("a folder"));
                let files = files.map(|file| file.expect("a file").path());
                let files =
                    files.filter(|file| file.extension().is_some_and(|end| end == "parquet"));
                files.flat_map(|file| of(&read_parquet(&file).0)).collect()
            }
        }
    }
}

/// A site whose clock is that of the program.
fn site() -> Site {
    let site = Site::start();
    site.change(|settings| settings.clock_ahead_ms = 153 * 86_400_000);
    site
}
