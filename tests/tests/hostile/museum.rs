//! Crimes against the process: in a child each is one message, and everybody else is served.

use glucopipe_tests::Finished;

use super::bench::{BEFORE, Bench, THREE};
use super::libraries::compile;
use crate::support::shown;

/// Crimes that end the call they happen in.
const CRIMES: [&str; 19] = [
    "segfault", "abort", "exit", "fork", "start", "hoard", "leak", "print", "garble", "close",
    "knock", "cap", "pry", "phone", "sneak", "lure", "expose", "share", "meddle",
];

fn run(bench: &Bench, text: &str, flags: &[&str]) -> Finished {
    bench.workspace.write("p.toml", text);
    let plugins = bench.workspace.plugins().display().to_string();
    let arguments = [&["--plugin-dir", &plugins, "run", "p.toml"], flags].concat();
    bench.workspace.run(&arguments)
}

/// Runs a pipeline of which the sink `spoilt` gets nothing and the sink `fine` everything.
fn contained(text: &str) -> String {
    let bench = Bench::new();
    bench.workspace.write("spoilt.csv", BEFORE);
    let text = [text, &bench.source("good", "good", "")].concat();
    let fine = bench.table("fine", "good");
    let spoilt = text.contains("[sinks.spoilt]");
    let spoilt = if spoilt {
        String::new()
    } else {
        bench.table("spoilt", "bad")
    };
    let finished = run(&bench, &[text, spoilt, fine].concat(), &[]);
    assert_eq!(finished.stdout, "", "standard output is for data");
    assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
    shown(&bench.workspace, &finished)
}

fn criminal(crime: &str, more: &str) -> String {
    Bench::new().source("bad", "good", &format!("crime = \"{crime}\"\n{more}"))
}

#[test]
fn drivers() {
    for crime in CRIMES {
        insta::assert_snapshot!(format!("driver-{crime}"), contained(&criminal(crime, "")));
    }
}

#[test]
fn a_driver_that_never_returns() {
    let text = contained(&criminal("spin", "timeout_secs = 1"));
    insta::assert_snapshot!("driver-spin", text);
}

/// What it gave before that is delivered, and the key that would have given it more time is named.
#[test]
fn a_driver_that_stops_giving_and_never_returns() {
    let bench = Bench::new();
    let more = "crime = \"spin\"\nreadings = 2000\nafter = 1500\ntimeout_secs = 5";
    let text = [
        bench.source("bad", "good", more),
        bench.table("fine", "bad"),
    ];
    let finished = run(&bench, &text.concat(), &[]);
    let rows = bench.workspace.read("fine.csv").expect("it is written");
    assert_eq!(rows.lines().count(), 1 + 1024, "whole batches");
    insta::assert_snapshot!("driver-spin-late", shown(&bench.workspace, &finished));
}

#[test]
fn drivers_with_wild_arrow() {
    for mode in ["wild", "offsets-beyond"] {
        let text = contained(&Bench::new().source("bad", mode, ""));
        insta::assert_snapshot!(format!("driver-{mode}"), text);
    }
}

#[test]
fn a_driver_whose_stream_does_not_end() {
    let text = Bench::new().source("bad", "endless-empty", "timeout_secs = 1");
    insta::assert_snapshot!("driver-endless-empty", contained(&text));
}

fn transform(crime: &str) -> String {
    format!(
        "[transforms.bad]\ntype = \"hostile\"\nmode = \"good\"\ninputs = [\"good\"]\n\
         crime = \"{crime}\"\n"
    )
}

#[test]
fn transforms() {
    for crime in CRIMES {
        let text = contained(&transform(crime));
        insta::assert_snapshot!(format!("transform-{crime}"), text);
    }
}

fn sink(key: &str, crime: &str) -> String {
    format!(
        "[sinks.spoilt]\nexporter = \"hostile\"\nmode = \"good\"\ninputs = [\"good\"]\n\
         path = \"spoilt.csv\"\n{key} = \"{crime}\"\n"
    )
}

#[test]
fn exporters() {
    // Those may read files of the system, reach servers, and make files where this one does.
    for crime in CRIMES
        .iter()
        .filter(|crime| !["pry", "phone", "sneak"].contains(crime))
    {
        let text = contained(&sink("crime", crime));
        insta::assert_snapshot!(format!("exporter-{crime}"), text);
    }
}

/// The folder that it writes in is made for it, so that it gets no right to the one above.
#[test]
fn an_exporter_whose_folder_is_new() {
    let bench = Bench::new();
    let text = [
        bench.source("good", "good", ""),
        sink("crime", "stray").replace("spoilt.csv", "new/deep/spoilt.csv"),
        bench.table("fine", "good"),
    ];
    let finished = run(&bench, &text.concat(), &[]);
    assert_eq!(bench.workspace.read("new.here"), None);
    assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
    insta::assert_snapshot!("exporter-stray", shown(&bench.workspace, &finished));
    let text = text.concat().replace("crime = \"stray\"\n", "");
    let finished = run(&bench, &text, &[]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let written = bench.workspace.read("new/deep/spoilt.csv");
    assert_eq!(written.as_deref(), Some("3"));
}

#[test]
fn an_exporter_that_never_returns() {
    let text = [&sink("crime", "spin"), "timeout_secs = 1\n"].concat();
    insta::assert_snapshot!("exporter-spin", contained(&text));
}

#[test]
fn an_exporter_that_dies_while_it_commits() {
    insta::assert_snapshot!(
        "commit-segfault",
        contained(&sink("last_crime", "segfault"))
    );
}

/// Nobody knows what it has delivered, so nobody says that it has not.
#[test]
fn an_exporter_that_misbehaves_while_it_commits() {
    for crime in ["garble", "print", "exit"] {
        let bench = Bench::new();
        let good = bench.source("good", "good", "");
        let text = [good, sink("last_crime", crime), bench.table("fine", "good")];
        let finished = run(&bench, &text.concat(), &[]);
        assert_eq!(finished.code, 1, "{}", finished.stderr);
        let said = "whether it has delivered is not known";
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
        assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
    }
}

#[test]
fn what_a_driver_gave_before_it_died_is_delivered_as_incomplete() {
    let bench = Bench::new();
    let text = [
        bench.source(
            "bad",
            "good",
            "crime = \"segfault\"\nreadings = 2000\nafter = 1500",
        ),
        bench.table("fine", "bad"),
    ];
    let finished = run(&bench, &text.concat(), &[]);
    let rows = bench.workspace.read("fine.csv").expect("it is written");
    assert_eq!(rows.lines().count(), 1 + 1024, "whole batches");
    insta::assert_snapshot!("incomplete", shown(&bench.workspace, &finished));
}

#[test]
fn a_bad_driver_alone_ends_with_8() {
    for crime in ["segfault", "print"] {
        let bench = Bench::new();
        let text = [criminal(crime, ""), bench.table("fine", "bad")].concat();
        assert_eq!(run(&bench, &text, &[]).code, 8, "{crime}");
    }
}

#[test]
fn signal_handlers_and_complaints_stay_in_the_child() {
    for (crime, words) in [
        ("signals", ""),
        (
            "complain",
            "debug: bad: on standard error: cannot open /dev/meter",
        ),
    ] {
        let bench = Bench::new();
        let text = [criminal(crime, ""), bench.table("fine", "bad")].concat();
        let finished = run(&bench, &text, &["-v"]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
        assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
    }
}

#[test]
fn ctrl_c_ends_a_run_of_which_a_part_spins() {
    for text in [
        criminal("spin", ""),
        transform("spin"),
        sink("crime", "spin"),
    ] {
        let bench = Bench::new();
        let good = bench.source("good", "good", "");
        let from = if text.contains("bad") { "bad" } else { "good" };
        let text = [text, good, bench.table("fine", from)].concat();
        bench.workspace.write("p.toml", &text);
        let plugins = bench.workspace.plugins().display().to_string();
        let arguments = ["--plugin-dir", &plugins, "-v", "run", "p.toml"];
        let mut running = bench.workspace.start(&arguments);
        running.wait_for("on standard error: spinning");
        running.interrupt();
        let finished = running.finish();
        assert_eq!(finished.code, 130, "{text}{}", finished.stderr);
        assert!(finished.stderr.contains("GP0406"), "{}", finished.stderr);
    }
}

/// More readings than any meter has, as fast as they can be made.
#[test]
fn a_driver_whose_readings_do_not_end() {
    let bench = Bench::new();
    bench.workspace.write("spoilt.csv", BEFORE);
    let text = [
        bench.source("bad", "endless", ""),
        bench.source("good", "good", ""),
        bench.table("spoilt", "bad"),
        bench.table("fine", "good"),
    ];
    let finished = run(&bench, &text.concat(), &[]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("GP04"), "{}", finished.stderr);
    assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
}

#[test]
fn looking_at_libraries_runs_nothing_of_them_here() {
    for (name, case) in [("segfault", 1), ("exit", 2), ("print", 3), ("fork", 4)] {
        let bench = Bench::new();
        compile(&bench, "constructor.c", "libbad.so", case);
        let plugins = bench.workspace.plugins().display().to_string();
        let finished = bench.workspace.run(&["plugins", "--plugin-dir", &plugins]);
        let Finished {
            code,
            stdout,
            stderr,
        } = &finished;
        assert_eq!(*code, 8, "{stderr}");
        assert!(stdout.contains("misbehaves on demand"), "{stdout}");
        assert!(!stdout.contains("hello"), "{stdout}");
        let refusal = stderr.split("error[").nth(1).expect("an error");
        let refusal = bench.workspace.filtered(refusal);
        insta::assert_snapshot!(format!("constructor-{name}"), refusal);
        // Nobody has said yes to it, so not even a child runs it.
        let locked = ["plugins", "--locked", "--plugin-dir", &plugins];
        let locked = bench.workspace.run(&locked).stderr;
        let refusals: Vec<&str> = locked.split("error[").skip(1).collect();
        assert!(
            refusals
                .iter()
                .all(|one| one.starts_with("GP0409]") && one.contains("nothing of it was run")),
            "{locked}"
        );
    }
}
