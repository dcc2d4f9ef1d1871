//! Wall and CPU time of whole processes, side by side in one go: `glucopipe run` on 500 virtual
//! readings into CSV and Parquet, `glucopipe --help`, and a bare Python start.
//!
//! `cargo bench -p glucopipe-tests --bench startup` builds with optimisations and prints medians. It
//! asserts the ratio to Python only where `GLUCOPIPE_BENCH_ASSERT=1`, because machines are shared.

#![allow(clippy::print_stdout)] // printing is its duty

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use glucopipe_tests::build;

const ROUNDS: usize = 21;

fn main() {
    let program = build().program();
    let program = program.as_path();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipeline = folder.path().join("pipeline.toml");
    std::fs::write(&pipeline, PIPELINE).expect("a pipeline file");
    let run: &[&str] = &["run", "-q", "pipeline.toml"];
    let python = python();
    let commands: [(&str, &Path, &[&str]); 3] = [
        ("glucopipe run, 500 readings, CSV + Parquet", program, run),
        ("glucopipe --help", program, &["--help"]),
        ("python3 -c pass", &python, &["-c", "pass"]),
    ];
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    for round in 0..=ROUNDS {
        // In turn, so that a slow moment of the machine meets all of them.
        for ((_, program, arguments), times) in commands.iter().zip(&mut times) {
            // The first round warms the caches.
            times.extend(time_of(program, arguments, folder.path()).filter(|_| round > 0));
        }
    }
    let mut medians = Vec::new();
    for ((name, ..), times) in commands.iter().zip(&mut times) {
        times.sort();
        match (times.first(), times.get(times.len() / 2), times.last()) {
            (Some(least), Some(median), Some(most)) => {
                println!(
                    "{name:44} median {:6.1} ms   ({:.1} to {:.1})",
                    ms(*median),
                    ms(*least),
                    ms(*most)
                );
                medians.push(Some(*median));
            }
            _ => {
                println!("{name:44} not run: the program is not there");
                medians.push(None);
            }
        }
    }
    if let [Some(run), _, Some(python)] = medians[..] {
        println!(
            "run / python start: {:.2}",
            run.as_secs_f64() / python.as_secs_f64()
        );
        if std::env::var_os("GLUCOPIPE_BENCH_ASSERT").is_some() {
            assert!(
                run < python,
                "a whole run takes longer than a bare Python start"
            );
        }
    }
}

/// The interpreter itself: `python3` may be a wrapper that chooses one.
fn python() -> PathBuf {
    let asked = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    let path = asked
        .ok()
        .and_then(|answer| String::from_utf8(answer.stdout).ok());
    path.map_or_else(|| "python3".into(), |path| path.trim().into())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Wall time of one process; `None` when the program is not there.
fn time_of(program: &Path, arguments: &[&str], folder: &Path) -> Option<Duration> {
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    let time = started.elapsed();
    assert!(
        status.success(),
        "{} failed with {status}",
        program.display()
    );
    Some(time)
}

const PIPELINE: &str = r#"
[sources.meter]
driver = "contour"
device = "virtual:contour-next-usb?records=500&zone=Europe/Athens"

[transforms.local]
type = "clock"
inputs = ["meter"]
timezone = "Europe/Athens"

[sinks.sheet]
exporter = "csv"
inputs = ["local"]
path = "out/readings.csv"

[sinks.lake]
exporter = "parquet"
inputs = ["local"]
path = "out/readings"
"#;
