//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use glucopipe_runtime::capture::Address;

const NOTICE: &str = "glucopipe is not a medical device. It copies data from glucose meters and may show values late, incomplete or wrong. Do not use it for treatment decisions or alarms; check the meter's own display.";

/// Reads blood glucose meters and delivers the readings where people need them
#[derive(Debug, Parser)]
#[command(name = "glucopipe", version, after_help = NOTICE, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct Global {
    /// Say more; twice for every call of a link to a meter, without its bytes, which `--record` keeps
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Colour messages
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Search this absolute folder for plugins, before all others; may be repeated
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) plugin_dir: Vec<PathBuf>,
    /// Load plugins that did not come with glucopipe only as `plugins trust` pinned them
    #[arg(long, global = true)]
    pub(crate) locked: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read the sources, run the pipeline, deliver to every sink
    Run(Run),
    /// Deliver from the journal, without a meter
    Replay(Replay),
    /// Look after the journal: every reading that was ever read, and who has received it
    #[command(subcommand)]
    Journal(Journal),
    /// Check a pipeline step by step, without writing anything
    Check(Check),
    /// List attached meters
    Devices(Devices),
    /// Show what a meter says of itself
    Info(Info),
    /// Print the readings of one meter
    Dump(Dump),
    /// Show the clock of a meter, or set it
    Clock(Clock),
    /// Destroy all readings in a meter, once they are known to be kept
    Erase(Erase),
    /// Merge the small files of a Parquet data set, while others may read it
    Compact(Compact),
    /// List people with their meters, and meters that are nobody's
    Persons(Persons),
    /// Print what makes a scheduler run a pipeline; nothing is installed
    Schedule(Schedule),
    /// List plugins, pin, begin or check one
    Plugins(Plugins),
    /// Work with transcripts: conversations with meters, as `--record` writes them
    #[command(subcommand)]
    Transcript(Transcript),
    /// Look for what stands between this computer and its meters
    Doctor(Doctor),
    /// Explain an error code, as in `glucopipe explain GP0202`, or one reading's whole life
    Explain(Explain),
    /// Print completions for a shell
    Completions(Completions),
    /// Print a manual page
    Man(Man),
}

impl Command {
    /// Whether it is one test of a check.
    pub(crate) fn is_one_test(&self) -> bool {
        matches!(
            self,
            Self::Plugins(Plugins {
                action: Some(PluginsAction::CheckOne(_)),
                ..
            })
        )
    }
}

/// A pipeline with its overrides.
#[derive(Debug, ClapArgs)]
pub(crate) struct Pipeline {
    /// The pipeline file
    #[arg(default_value = "pipeline.toml", value_name = "PIPELINE")]
    pub(crate) pipeline: PathBuf,
    /// Override a key, as in `--set sinks.sheet.path=x.csv`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Do everything but write and send
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Read all that a meter holds, also what the journal has
    #[arg(long)]
    pub(crate) full: bool,
    /// Wait this long for a meter to be attached, as in 30s, 10m or 2h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) wait: Option<Duration>,
    /// Write the run report as JSON, `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Write a transcript of the session with the meter, for a pipeline of one source; it holds readings
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Deliver to this sink alone; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) sink: Vec<String>,
    /// Offer also what a sink has acknowledged or refused before
    #[arg(long)]
    pub(crate) all: bool,
    /// Offer nothing from before this local time, as in 2026-01-01 or 2026-01-01T06:00:00; a file that is
    /// written anew always holds everything
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Do everything but write and send
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write the run report as JSON, `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Count what is there: meters, readings, and what each sink has acknowledged
    Stats(JournalStats),
    /// Print everything as JSON Lines; it holds readings
    Export(JournalFile),
    /// Check the file, and that every reading is what it says
    Verify(JournalStats),
    /// Delete old readings that every sink has acknowledged
    Prune(JournalPrune),
    /// Forget a sink that is not wanted any more, with what waits for it
    Forget(JournalForget),
}

/// Which journal.
#[derive(Debug, ClapArgs)]
pub(crate) struct JournalFile {
    /// The journal; by default that of the pipeline here, else the user's
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct JournalStats {
    #[command(flatten)]
    pub(crate) file: JournalFile,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct JournalPrune {
    #[command(flatten)]
    pub(crate) file: JournalFile,
    /// Readings from before this local date
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) before: chrono::NaiveDate,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct JournalForget {
    /// The sink: its name, or its number in `glucopipe journal stats`
    #[arg(value_name = "SINK")]
    pub(crate) sink: String,
    #[command(flatten)]
    pub(crate) file: JournalFile,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Stop before looking at devices and targets
    #[arg(long)]
    pub(crate) offline: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Devices {
    /// List the virtual meters and their keys instead
    #[arg(long = "virtual")]
    pub(crate) virtual_meters: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which meter.
#[derive(Debug, ClapArgs)]
pub(crate) struct Meter {
    /// The driver; by default whichever knows the meter
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) driver: Option<String>,
    /// The device: `serial:…`, `usb:VVVV:PPPP`, `path:…`, `virtual:MODEL` or `replay:FILE`; by default
    /// the one attached meter
    #[arg(long, global = true, value_name = "SELECTOR")]
    pub(crate) device: Option<String>,
    /// Write a transcript of the session; it holds readings
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) meter: Meter,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Dump {
    #[command(flatten)]
    pub(crate) meter: Meter,
    /// Layout of the output
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub(crate) format: Format,
    /// Convert glucose to this unit: `mg/dL` in whole numbers, or `mmol/L` with one decimal;
    /// glucometerutils has two decimals
    #[arg(long)]
    pub(crate) unit: Option<String>,
    /// Leave out readings before this local time, as in 2026-01-01 or 2026-01-01T06:00:00
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Leave out readings from this local time on
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
}

/// Layouts of `dump`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The columns of reading/1
    Csv,
    /// The same, one JSON object a line
    Jsonl,
    /// As the program glucometerutils prints
    Glucometerutils,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Clock {
    #[command(flatten)]
    pub(crate) meter: Meter,
    /// One JSON document on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) action: Option<ClockAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClockAction {
    /// Set the clock, after the meter was read to its end
    Set(SetClock),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SetClock {
    /// What the meter shall show: `now`, or a local time as in 2026-05-30T18:05
    #[arg(default_value = "now", value_name = "WHEN")]
    pub(crate) when: String,
    /// Keep what was read before in this journal, instead of that of the pipeline here or the user's own
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Erase {
    #[command(flatten)]
    pub(crate) meter: Meter,
    /// The serial of the meter, as `glucopipe info` shows it
    #[arg(long, value_name = "SERIAL")]
    pub(crate) serial: String,
    /// Keep what was read before in this journal, instead of that of the pipeline here or the user's own
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Compact {
    /// The folder of the data set, as in `path` of its sink
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Persons {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Schedule {
    /// Whose files to print
    #[arg(value_enum)]
    pub(crate) scheduler: Scheduler,
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// How often, counted from midnight, as in 15m, 1h or 24h; every hour unless said otherwise
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "at")]
    pub(crate) every: Option<Duration>,
    /// At a time of day, as in 07:00; may be repeated
    #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
    pub(crate) at: Vec<NaiveTime>,
    /// systemd: units of the system, which run whether or not the user is logged in
    #[arg(long)]
    pub(crate) system: bool,
    /// systemd, with `--system`: a group that may open meters, as the udev rule names it
    #[arg(long, value_name = "NAME", requires = "system")]
    pub(crate) group: Option<String>,
    /// systemd: one of the two files
    #[arg(long, value_enum, value_name = "PART")]
    pub(crate) only: Option<Part>,
}

/// Schedulers that files are printed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scheduler {
    /// A service and a timer, for Linux
    Systemd,
    /// A launch agent, for macOS
    Launchd,
    /// A task for the Task Scheduler of Windows
    Schtasks,
    /// A line for a crontab
    Cron,
}

/// The files of systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What is run
    Service,
    /// When
    Timer,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Plugins {
    /// One JSON document on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) action: Option<PluginsAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginsAction {
    /// Begin a plugin: a folder with a small one that works, to be changed
    New(NewPlugin),
    /// Check whether a library keeps the contract of the plugin ABI
    Check(CheckPlugin),
    /// One test of a check
    #[command(hide = true)]
    CheckOne(CheckOne),
    /// Write the manifest of a library beside it: what it is, to the byte, and what it needs
    Manifest(ManifestPlugin),
    /// Pin a library of somebody else to its bytes, list the pins, or take one back
    Trust(TrustPlugin),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ManifestPlugin {
    /// The library
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What it needs besides computing; may be repeated. By default what the manifest says that is there, else
    /// all that its components may have
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) needs: Vec<Need>,
}

/// What a plugin may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Need {
    /// The device of its source
    Devices,
    /// Connections to servers
    Network,
    /// The files and folders that its keys name
    Files,
    /// None of these
    Nothing,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TrustPlugin {
    /// The library; without one, the pins are listed
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Take back the pins with this id, file name or sha256
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) remove: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct NewPlugin {
    /// What it is to be
    #[arg(value_enum, value_name = "KIND")]
    pub(crate) kind: NewKind,
    /// Its name in pipelines: lower-case letters, digits and `-`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The language it is written in
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub(crate) lang: Language,
    /// The folder to make; by default one of its name, here
    #[arg(long, value_name = "FOLDER")]
    pub(crate) path: Option<PathBuf>,
    /// The folder of the crate glucopipe-sdk, for Rust; by default that of the source tree this program was
    /// built in, else the published crate
    #[arg(long, value_name = "FOLDER")]
    pub(crate) sdk: Option<PathBuf>,
}

/// Kinds of plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewKind {
    /// Reads a family of meters
    Driver,
    /// Delivers readings somewhere
    Exporter,
    /// Changes readings, or drops some
    Transform,
}

/// Languages that plugins are begun in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust, with the SDK
    Rust,
    /// C99, with the header and its helpers
    C,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckPlugin {
    /// The library
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Give its drivers this meter, `virtual:MODEL` or `replay:FILE`; by default a virtual one they know
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) device: Option<String>,
    /// Give its components these keys: a JSON object, lines of TOML, or `@FILE` with either
    #[arg(long, value_name = "KEYS")]
    pub(crate) config: Option<String>,
    /// Run only tests whose names begin with this; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) test: Vec<String>,
    /// Make what is random follow from this number, to see a failure again
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long one test may take, as in 30s or 10m
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub(crate) timeout: Duration,
    /// Let a warning count as a failure
    #[arg(long)]
    pub(crate) strict: bool,
    /// Run the tests in this process, for a debugger: a plugin that crashes ends the check, and one that does
    /// harm does it with all your rights
    #[arg(long)]
    pub(crate) in_process: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckOne {
    /// What to do
    #[arg(value_name = "REQUEST")]
    pub(crate) request: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Transcript {
    /// Make a transcript fit to be shared: another serial, other dates, other values
    Scrub(ScrubTranscript),
    /// Make a transcript of USB traffic that Wireshark captured
    Import(ImportTranscript),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ScrubTranscript {
    /// The transcript
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The file to write; one that is there is not overwritten
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The driver; by default whichever knows the meter
    #[arg(long, value_name = "NAME")]
    pub(crate) driver: Option<String>,
    /// Make what is made up follow from this number, to get the same again; who knows it can undo it
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportTranscript {
    /// The capture: pcapng or pcap, of usbmon (Linux) or USBPcap (Windows)
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The file to write; one that is there is not overwritten
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The device, as in 1.5: the numbers of its bus and of itself; by default the only one that fits
    #[arg(long, value_name = "BUS.ADDRESS")]
    pub(crate) device: Option<Address>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Doctor {
    /// Print a udev rule file for the meters the drivers know
    #[arg(long)]
    pub(crate) udev: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Explain {
    /// The code, as in GP0202, or the `reading_id` of a reading; without one all codes are listed
    #[arg(value_name = "CODE|READING_ID")]
    pub(crate) what: Option<String>,
    /// The pipeline whose transforms a reading is followed through; `pipeline.toml` if there is one
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// The journal; by default that of the pipeline, else the user's
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Man {
    /// The command, as in `glucopipe man clock set`; by default the program itself
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// A date, as in 2026-01-01.
fn date(text: &str) -> Result<chrono::NaiveDate, String> {
    let expected = |_| "expected a date, as in 2026-01-01".to_owned();
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(expected)
}

/// A duration: a whole number and `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number and a unit, as in 30s, 10m or 2h".to_owned();
    let unit = text.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(expected()),
    };
    let number = text
        .strip_suffix(unit)
        .and_then(|number| number.parse::<u64>().ok());
    let number = number.ok_or_else(expected)?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(expected)
}

/// A time of day: `07:00`.
fn time_of_day(text: &str) -> Result<NaiveTime, String> {
    let plain = text.len() == "07:00".len();
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok();
    time.filter(|_| plain)
        .ok_or_else(|| "expected hours and minutes, as in 07:00".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_whole() {
        let seven = NaiveTime::from_hms_opt(7, 0, 0).ok_or_else(String::new);
        assert_eq!(time_of_day("07:00"), seven);
        for wrong in ["7:00", "24:00", "07:60", "07:00:00", "noon", ""] {
            assert!(time_of_day(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in [
            "",
            "5",
            "s",
            "-1s",
            "1.5h",
            "99999999999999999999h",
            "10mm",
            "5d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
