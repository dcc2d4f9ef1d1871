use std::process::Command;

use chrono::NaiveTime;
use clap::Parser;
use insta::assert_snapshot;
use proptest::prelude::*;
use roxmltree::{Document, ParsingOptions};

use super::*;
use crate::args::{Args, Command as Chosen};

/// Blanks, quotes and whatever means something to one of the formats.
const ODD: &str = "/srv/Anna's \"own\" 100% $HOME & <b>\\;#`é";

fn plain() -> Job {
    Job {
        name: "glucopipe".into(),
        pipeline: "pipeline".into(),
        program: "/usr/bin/glucopipe".into(),
        arguments: vec!["run".into(), "/people/anna/meters/pipeline.toml".into()],
        folder: "/people/anna/meters".into(),
        when: When::Every(60),
        writes: vec![
            "/people/anna/.local/state/glucopipe".into(),
            "/people/anna/meters/out".into(),
        ],
        missing: vec!["/people/anna/meters/out".into()],
        credentials: vec!["night_token".into(), "study.key".into()],
        network: true,
        user: Some("anna".into()),
        home: Some("/people/anna".into()),
    }
}

fn odd() -> Job {
    let below = |rest: &str| format!("{ODD}/{rest}");
    Job {
        name: "glucopipe-100-".into(),
        pipeline: "100% \"own\" & <b>\\".into(),
        program: "/srv/100% $x 'o/glucopipe".replace('\'', ""),
        arguments: vec![
            "run".into(),
            below("p.toml"),
            "--set".into(),
            "sinks.a.path=x \"y\"\\".into(),
            String::new(),
        ],
        folder: format!("{ODD} "),
        when: When::At(vec![
            NaiveTime::MIN,
            NaiveTime::from_hms_opt(19, 30, 0).unwrap_or_default(),
        ]),
        writes: vec![below("out"), "/tmp/x".into()],
        missing: vec![below("out")],
        credentials: Vec::new(),
        network: false,
        user: None,
        home: Some(ODD.into()),
    }
}

fn args(line: &[&str]) -> Schedule {
    let line = [&["glucopipe", "schedule"], line].concat();
    match Args::try_parse_from(line).map(|args| args.command) {
        Ok(Chosen::Schedule(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn shown(printed: &Files) -> String {
    format!("{}---\n{}\n", printed.text, printed.steps.join("\n"))
}

#[test]
fn systemd_units_of_a_user() {
    assert_snapshot!(shown(
        &systemd::print(&plain(), &args(&["systemd"])).unwrap()
    ));
}

#[test]
fn systemd_units_of_the_system() {
    let args = args(&["systemd", "--system", "--group", "glucopipe"]);
    assert_snapshot!(shown(&systemd::print(&plain(), &args).unwrap()));
}

#[test]
fn a_launch_agent() {
    assert_snapshot!(shown(&launchd::print(&plain()).unwrap()));
}

#[test]
fn a_task_of_windows() {
    let job = Job {
        program: r"C:\Program Files\glucopipe\glucopipe.exe".into(),
        arguments: vec!["run".into(), r"C:\Users\Anna M\meters\pipeline.toml".into()],
        folder: r"C:\Users\Anna M\meters".into(),
        ..plain()
    };
    assert_snapshot!(shown(&schtasks::print(&job).unwrap()));
}

#[test]
fn a_line_of_a_crontab() {
    assert_snapshot!(shown(&cron::print(&plain()).unwrap()));
}

#[test]
fn odd_paths_in_every_format() {
    let printed = [
        systemd::print(&odd(), &args(&["systemd"])),
        launchd::print(&odd()),
        schtasks::print(&odd()),
        cron::print(&odd()),
    ];
    let shown = printed.map(|printed| {
        printed.map_or_else(|problem| format!("{problem}\n"), |printed| shown(&printed))
    });
    assert_snapshot!(shown.join("====\n"));
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let with = |change: fn(&mut Job)| {
        let mut job = plain();
        change(&mut job);
        job
    };
    let quote = with(|job| job.program = "/opt/a'b/glucopipe".into());
    let colon = with(|job| job.credentials = vec!["a:b".into()]);
    for job in [quote, colon] {
        let refused = systemd::print(&job, &args(&["systemd"])).err();
        assert_eq!(refused.map(|problem| problem.code), Some(Code::SCHEDULE));
    }
    assert!(schtasks::print(&with(|job| job.folder = r"C:\%PATH%".into())).is_err());
    assert!(schtasks::print(&with(|job| job.arguments.push("$(Arg0)".into()))).is_err());
    assert!(cron::print(&with(|job| job.folder = format!("/{}", "a".repeat(900)))).is_err());
}

/// The keys of a unit with their values, section by section, as systemd reads lines.
fn unit(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        assert!(!line.ends_with('\\'), "a line is continued: {line}");
        match line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            Some(name) => section = name.to_owned(),
            None => {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
                found.push((section.clone(), key.to_owned(), value.trim_end().to_owned()));
            }
        }
    }
    found
}

fn values<'u>(unit: &'u [(String, String, String)], key: &str) -> Vec<&'u str> {
    let found = unit.iter().filter(|(_, name, _)| name == key);
    found.map(|(_, _, value)| value.as_str()).collect()
}

/// Words as systemd takes a line apart: quotes, backslashes, then specifiers.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut started) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                let next = chars.next().expect("something after a backslash");
                assert!(matches!(next, '\\' | '"'), "\\{next}");
                word.push(next);
            }
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => (quote, started) = (Some(c), true),
            (' ', None) => {
                if started || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            _ => word.push(c),
        }
    }
    assert_eq!(quote, None, "{line}");
    if started || !word.is_empty() {
        words.push(word);
    }
    words.iter().map(|word| unspecified(word)).collect()
}

fn unspecified(text: &str) -> String {
    let parts: Vec<&str> = text.split("%%").collect();
    assert!(!parts.iter().any(|part| part.contains('%')), "{text}");
    parts.join("%")
}

#[test]
fn a_unit_reads_back_as_it_was_meant() {
    for job in [plain(), odd()] {
        let service = systemd::print(&job, &args(&["systemd", "--only", "service"]))
            .unwrap()
            .text;
        let unit = unit(&service);
        let start = values(&unit, "ExecStart").concat();
        let start = start.strip_prefix(':').unwrap_or_else(|| {
            assert!(!start.contains('$'), "{start}");
            &start
        });
        let expected: Vec<&String> = [&job.program].into_iter().chain(&job.arguments).collect();
        assert_eq!(words(start).iter().collect::<Vec<_>>(), expected);
        let folder = unspecified(values(&unit, "WorkingDirectory")[0]);
        assert_eq!(folder.strip_suffix('/').unwrap_or(&folder), job.folder);
        let writes = values(&unit, "ReadWritePaths").into_iter().flat_map(words);
        assert_eq!(writes.collect::<Vec<_>>(), job.writes);
        assert_eq!(values(&unit, "SuccessExitStatus"), ["4 130"]);
        assert!(
            values(&unit, "PrivateDevices").is_empty(),
            "meters are devices"
        );
        assert_eq!(
            values(&unit, "PrivateTmp").len(),
            usize::from(!job.needs_temporary())
        );
        let timer = systemd::print(&job, &args(&["systemd", "--only", "timer"]))
            .unwrap()
            .text;
        assert!(!timer.contains("[Service]"));
    }
}

/// The elements below one, as names and texts.
fn below(document: &Document<'_>, name: &str) -> Vec<(String, String)> {
    let found = document.descendants().find(|node| node.has_tag_name(name));
    let children = found
        .expect(name)
        .children()
        .filter(roxmltree::Node::is_element);
    let text = |node: roxmltree::Node<'_, '_>| node.text().unwrap_or_default().to_owned();
    children
        .map(|node| (node.tag_name().name().to_owned(), text(node)))
        .collect()
}

#[test]
fn a_property_list_reads_back_as_it_was_meant() {
    for job in [plain(), odd()] {
        let text = launchd::print(&job).unwrap().text;
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(&text, options).unwrap();
        let entries = below(&document, "dict");
        assert!(
            entries.chunks(2).all(|pair| pair[0].0 == "key"),
            "{entries:?}"
        );
        let of = |key: &str| {
            let found = entries.chunks(2).find(|pair| pair[0].1 == key);
            found.map(|pair| pair[1].1.clone()).unwrap_or_default()
        };
        assert_eq!(of("WorkingDirectory"), job.folder);
        assert_eq!(of("Label"), format!("io.github.glucopipe.{}", job.name));
        assert!(of("StandardErrorPath").starts_with(job.home.as_deref().unwrap_or_default()));
        let arguments: Vec<String> = below(&document, "array")
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(arguments[0], job.program);
        assert_eq!(arguments[1..], job.arguments);
        let dicts = document
            .descendants()
            .filter(|node| node.has_tag_name("dict"))
            .count();
        assert_eq!(dicts - 1, job.when.moments().len());
    }
}

/// The command line of Windows, taken apart as its programs do.
fn windows_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut inside, mut started, mut slashes) =
        (Vec::new(), String::new(), false, false, 0);
    for c in line.chars().chain([' ']) {
        if c == '\\' {
            slashes += 1;
            continue;
        }
        let quote = c == '"';
        word.extend(std::iter::repeat_n(
            '\\',
            if quote { slashes / 2 } else { slashes },
        ));
        let literal = quote && slashes % 2 == 1;
        slashes = 0;
        match c {
            '"' if !literal => (inside, started) = (!inside, true),
            ' ' if !inside => {
                if started || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            _ => word.push(c),
        }
    }
    words
}

#[test]
fn a_task_reads_back_as_it_was_meant() {
    for job in [plain(), odd()] {
        let text = schtasks::print(&job).unwrap().text;
        let document = Document::parse(&text).unwrap();
        let exec = below(&document, "Exec");
        assert_eq!(
            (exec[0].1.as_str(), exec[2].1.as_str()),
            (job.program.as_str(), job.folder.as_str())
        );
        assert_eq!(windows_words(&exec[1].1), job.arguments);
        let triggers = document
            .descendants()
            .filter(|node| node.has_tag_name("CalendarTrigger"));
        let expected = match &job.when {
            When::Every(_) => 1,
            When::At(times) => times.len(),
        };
        assert_eq!(triggers.count(), expected);
    }
}

/// What cron hands to the shell: the line behind the times, percent signs unescaped.
#[cfg(unix)]
fn cron_command(printed: &Files) -> String {
    let line = printed.text.lines().nth(1).unwrap();
    let command = line.splitn(6, ' ').nth(5).unwrap().replace(r"\%", "\u{0}");
    assert!(!command.contains('%'), "{command}");
    command.replace('\u{0}', "%")
}

/// Cron mails what is printed: nothing unless something is wrong, and then everything.
#[cfg(unix)]
#[test]
fn cron_mails_what_is_wrong_and_nothing_else() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("Anna's \"own\" 100% $HOME & <b>\\;#`é");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("gluco pipe%");
    for (code, mailed) in [(0, ""), (4, ""), (1, "said 1\n"), (130, "said 130\n")] {
        let script = format!(
            "#!/bin/sh\npwd > seen; printf '%s\\n' \"$@\" >> seen; echo said {code} >&2; exit {code}\n"
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let job = Job {
            program: text(&program),
            folder: text(&folder),
            ..odd()
        };
        let command = cron_command(&cron::print(&job).unwrap());
        let done = Command::new("/bin/sh")
            .args(["-c", &command])
            .current_dir("/")
            .output()
            .unwrap();
        let all = [done.stdout, done.stderr].concat();
        assert_eq!(String::from_utf8(all).unwrap(), mailed);
        let expected = if code == 4 { 0 } else { code };
        assert_eq!(done.status.code(), Some(expected), "{command}");
        let seen = std::fs::read_to_string(folder.join("seen")).unwrap();
        let quiet = "--quiet".to_owned();
        let expected: Vec<&String> = [&job.folder]
            .into_iter()
            .chain(&job.arguments)
            .chain([&quiet])
            .collect();
        assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
    }
}

proptest! {
    /// Whatever a path is called, every format gives it back.
    #[test]
    fn arguments_survive_their_quotes(parts in prop::collection::vec("[ -~é]{0,12}", 1..5)) {
        let job = Job { arguments: parts.clone(), ..plain() };
        let service = systemd::print(&job, &args(&["systemd", "--only", "service"])).unwrap().text;
        let unit = unit(&service);
        let start = values(&unit, "ExecStart").concat();
        prop_assert_eq!(&words(start.trim_start_matches(':'))[1..], &parts[..]);
        if let Ok(task) = schtasks::print(&job) {
            let exec = below(&Document::parse(&task.text).unwrap(), "Exec");
            prop_assert_eq!(windows_words(&exec[1].1), parts);
        }
    }
}
