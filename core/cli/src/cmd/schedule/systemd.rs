//! A service and a timer of systemd.

use std::fmt::Write as _;

use glucopipe_runtime::problem::Problem;

use super::job::Job;
use super::{Files, quoted, unwritable};
use crate::args::{Part, Schedule};
use crate::exit::Exit;

/// What every unit is kept from. Nothing here keeps it from meters: `PrivateDevices=` would.
const HARDENED: [&str; 13] = [
    "UMask=0077",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
];

/// What only the system's own manager may do; a user has none of these rights to begin with.
const SYSTEM_ONLY: [&str; 12] = [
    "CapabilityBoundingSet=",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "DevicePolicy=closed",
    "DeviceAllow=char-hidraw rw",
    "DeviceAllow=char-usb_device rw",
    "DeviceAllow=char-sg rw",
];

/// Prints both units, or one.
pub(super) fn print(job: &Job, args: &Schedule) -> Result<Files, Problem> {
    let folder = match args.system {
        true => "/etc/systemd/system",
        false => "~/.config/systemd/user",
    };
    let file = |kind: &str| format!("{folder}/{}.{kind}", job.name);
    let mut text = String::new();
    for (part, kind) in [(Part::Service, "service"), (Part::Timer, "timer")] {
        if args.only.is_some_and(|only| only != part) {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        // In memory, so it cannot fail.
        let _ = writeln!(text, "# {}", file(kind));
        text += &match part {
            Part::Service => service(job, args)?,
            Part::Timer => timer(job),
        };
    }
    Ok(Files {
        text,
        steps: steps(job, args, &file("service"), &file("timer")),
    })
}

fn steps(job: &Job, args: &Schedule, service: &str, timer: &str) -> Vec<String> {
    let mut steps: Vec<String> = job.making().into_iter().collect();
    let (sudo, user, store) = match args.system {
        true => ("sudo ", "", "/etc/credstore"),
        false => ("", " --user", "~/.config/credstore"),
    };
    for name in &job.credentials {
        steps.push(format!(
            "{sudo}install -D -m 600 FILE {store}/{}    # FILE holds the secret",
            quoted(name)
        ));
    }
    steps.push(format!(
        "save the output as {service} and {timer} (`--only` prints one of them)"
    ));
    steps.push(format!("{sudo}systemctl{user} daemon-reload"));
    steps.push(format!(
        "{sudo}systemctl{user} enable --now {}.timer",
        job.name
    ));
    if !args.system {
        steps.push(
            "loginctl enable-linger    # if it is to run while you are logged out".to_owned(),
        );
    } else if args.group.is_none() {
        steps.push("let a group open meters in the udev rule, and name it with `--group`: who is not at the screen may not".to_owned());
    }
    steps
}

fn service(job: &Job, args: &Schedule) -> Result<String, Problem> {
    if job.program.contains(['"', '\'', '\\']) {
        return Err(unwritable(
            &job.program,
            "systemd starts no program with a quote or backslash in its path",
        ));
    }
    let mut lines = vec!["[Unit]".to_owned(), description(job)];
    if args.system && job.network {
        lines.push("Wants=network-online.target".to_owned());
        lines.push("After=network-online.target".to_owned());
    }
    lines.extend(["", "[Service]", "Type=oneshot"].map(str::to_owned));
    if let Some(user) = job.user.as_ref().filter(|_| args.system) {
        lines.push(format!("User={user}"));
    }
    if let Some(group) = &args.group {
        if group.is_empty() || !group.chars().all(is_plain) {
            return Err(unwritable(group, "it is not the name of a group"));
        }
        lines.push(format!("SupplementaryGroups={group}"));
    }
    lines.push(format!("WorkingDirectory={}", value(&job.folder)));
    lines.push(exec_start(job));
    let (no_meter, interrupted) = (Exit::NoMeter as u8, Exit::Interrupted as u8);
    lines.push(format!(
        "# {no_meter}: no meter is attached. {interrupted}: it was stopped, and has left the meter in order."
    ));
    lines.push(format!("SuccessExitStatus={no_meter} {interrupted}"));
    for name in &job.credentials {
        if name.is_empty() || !name.chars().all(is_plain) {
            let why = "systemd wants letters, digits, `.`, `_` and `-` in the name of a credential";
            return Err(unwritable(name, why));
        }
        // /etc for the system, ~/.config for a user.
        lines.push(format!("LoadCredential={name}:%E/credstore/{name}"));
    }
    lines.extend(
        job.writes
            .iter()
            .map(|path| format!("ReadWritePaths={}", word(path))),
    );
    lines.extend(HARDENED.map(str::to_owned));
    lines.push(match job.needs_temporary() {
        true => "# Not PrivateTmp=: the pipeline uses a temporary folder.".to_owned(),
        false => "PrivateTmp=yes".to_owned(),
    });
    if args.system {
        lines.extend(SYSTEM_ONLY.map(str::to_owned));
    }
    Ok(lines.join("\n") + "\n")
}

fn timer(job: &Job) -> String {
    let mut lines = vec![
        "[Unit]".to_owned(),
        description(job),
        String::new(),
        "[Timer]".to_owned(),
    ];
    lines.extend(
        job.when
            .on_calendar()
            .iter()
            .map(|when| format!("OnCalendar={when}")),
    );
    lines.push("Persistent=true".to_owned());
    lines.push(format!("RandomizedDelaySec={}", job.when.spread_secs()));
    lines.extend(["", "[Install]", "WantedBy=timers.target"].map(str::to_owned));
    lines.join("\n") + "\n"
}

fn description(job: &Job) -> String {
    // A backslash there would join the next line.
    let name = specifiers(job.pipeline.trim_end_matches('\\'));
    format!("Description=glucopipe: {name}")
}

fn exec_start(job: &Job) -> String {
    let words: Vec<String> = [&job.program]
        .into_iter()
        .chain(&job.arguments)
        .map(|part| word(part))
        .collect();
    // With a colon a dollar sign is no variable.
    let colon = if words.iter().any(|word| word.contains('$')) {
        ":"
    } else {
        ""
    };
    format!("ExecStart={colon}{}", words.join(" "))
}

/// A word of a list or a command line.
fn word(text: &str) -> String {
    let text = specifiers(text);
    if !text.is_empty() && text.chars().all(|c| is_plain(c) || "/=+:,@%$".contains(c)) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

/// A path that is a whole line: blanks and quotes are its own, but not where the line ends.
fn value(path: &str) -> String {
    let text = specifiers(path);
    if text.ends_with([' ', '\\']) {
        text + "/"
    } else {
        text
    }
}

/// Percent signs are specifiers unless they are doubled.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}
